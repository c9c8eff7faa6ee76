//! `IOT_Ioctl`: any option with any data of its type, against a model of the store. A refused value changes
//! nothing, an accepted one comes back.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};

use super::super::input::Input;
use super::super::port;

unsafe extern "C" {
    fn IOT_Ioctl(option: c_int, data: *mut c_void) -> c_int;
}

/// SET option, whose GET option is the next number, and longest string.
const STRINGS: [(c_int, usize); 5] = [(20, 20), (22, 64), (24, 32), (26, 64), (28, 64)];
const DOMAINS: [c_int; 2] = [2, 3];
const DOMAIN_MAX: usize = 253;

pub fn run(data: &[u8]) {
    let _port = port::use_alone();
    let mut input = Input::new(data);
    let mut model: HashMap<c_int, Vec<u8>> = HashMap::new();
    for (option, _) in STRINGS {
        assert_eq!(call(option, &mut [0]), 0);
        model.insert(option, Vec::new());
    }
    assert_eq!(call(0, &mut 0_i32.to_ne_bytes()), 0);
    let mut region = 0;
    while !input.is_empty() {
        let option = c_int::from(input.below(34)) - 2;
        let value = input.block();
        if let Some((_, max)) = STRINGS.iter().find(|(set, _)| *set == option) {
            let (result, text) = set_string(option, value, *max);
            assert_eq!(result == 0, text.is_some(), "{option} {value:?}");
            model.extend(text.map(|text| (option, text)));
        } else if DOMAINS.contains(&option) {
            let (result, text) = set_string(option, value, DOMAIN_MAX);
            assert_eq!(result == 0, text.is_some(), "{option} {value:?}");
            if result == 0 && option == 2 {
                region = 5;
            }
        } else {
            match option {
                0 => {
                    let mut number = [0; 4];
                    number
                        .iter_mut()
                        .zip(value)
                        .for_each(|(to, from)| *to = *from);
                    let wanted = c_int::from_ne_bytes(number);
                    let legal = (0..=5).contains(&wanted);
                    assert_eq!(call(option, &mut number) == 0, legal, "{wanted}");
                    if legal {
                        region = wanted;
                    }
                }
                14 => assert_eq!(call(option, &mut [value.len() as u8, 1]), 0),
                1 | 21 | 23 | 25 | 27 | 29 => {}
                // An int is what the other options take, if they take anything.
                _ => {
                    let result = call(option, &mut [1, 0, 0, 0]);
                    assert!(result == 0 || result == -1, "{option}");
                    assert!(result == -1 || (4..=10).contains(&option), "{option}");
                }
            }
        }
        // SAFETY: NULL is allowed for every option.
        assert_eq!(unsafe { IOT_Ioctl(option, std::ptr::null_mut()) }, -1);
        let mut number = [0xff; 4];
        assert_eq!(call(1, &mut number), 0);
        assert_eq!(c_int::from_ne_bytes(number), region);
        for (set, max) in STRINGS {
            let mut buffer = vec![0xaa; max + 1];
            assert_eq!(call(set + 1, &mut buffer), 0);
            let text = buffer.split(|byte| *byte == 0).next();
            assert_eq!(text, Some(&model[&set][..]), "option {set}");
        }
    }
    assert_eq!(call(0, &mut 0_i32.to_ne_bytes()), 0);
    assert_eq!(call(14, &mut [0, 0]), 0);
}

/// Sets a string; the text that should be stored, if it is a legal one.
fn set_string(option: c_int, value: &[u8], max: usize) -> (c_int, Option<Vec<u8>>) {
    let mut data = value.to_vec();
    match data.iter().position(|byte| *byte == 0) {
        Some(nul) => data.truncate(nul + 1),
        // Text without an end is legal data as long as the end is not needed to see that it is too long.
        None if data.len() > max => {}
        None => data.push(0),
    }
    let text = data
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default()
        .to_vec();
    let legal = text.len() <= max && std::str::from_utf8(&text).is_ok();
    (call(option, &mut data), legal.then_some(text))
}

fn call(option: c_int, data: &mut [u8]) -> c_int {
    // On the heap and not a byte longer, so that a sanitizer sees who reads or writes on.
    let mut exact = data.to_vec().into_boxed_slice();
    // SAFETY: `exact` is what the option takes: see the callers.
    let result = unsafe { IOT_Ioctl(option, exact.as_mut_ptr().cast()) };
    data.copy_from_slice(&exact);
    result
}
