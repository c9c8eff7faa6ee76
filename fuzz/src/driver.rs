//! Runs a target without libFuzzer: the corpus first, then mutations of it from a seed. No coverage guides
//! it, so it finds less; it needs nothing but the compiler, and the same seed gives the same inputs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Target;

/// When to stop.
#[derive(Clone, Copy)]
pub enum Until {
    /// After this many inputs besides the corpus.
    Inputs(u32),
    /// After this time.
    Time(Duration),
}

/// The inputs in `directory`, in order of their names. None when there is no such directory.
pub fn corpus(directory: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read(file).expect("a readable corpus"))
        .collect()
}

/// Runs `target` over the corpus and then over mutations. Returns how many inputs were run.
///
/// The input under way is in `current` from before the run, so that whoever catches a panic can keep it.
pub fn drive(
    target: &Target,
    corpus: &[Vec<u8>],
    seed: u64,
    until: Until,
    current: &mut Vec<u8>,
) -> u64 {
    let mut count = 0;
    for input in corpus {
        current.clone_from(input);
        (target.run)(input);
        count += 1;
    }
    let started = Instant::now();
    let mut random = Random(seed | 1);
    let mut mutations = 0;
    loop {
        let over = match until {
            Until::Inputs(inputs) => mutations >= inputs,
            Until::Time(time) => started.elapsed() >= time,
        };
        if over {
            return count;
        }
        *current = mutated(corpus, &mut random, target.max_len);
        (target.run)(current);
        mutations += 1;
        count += 1;
    }
}

/// A generator of Marsaglia's kind (xorshift64*); the state is never 0.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        // The high half: the low bits are the weaker ones.
        (self.next() >> 32) as usize % bound.max(1)
    }
}

/// Bytes that mean something in one format or another.
const TOKENS: &[&[u8]] = &[
    b"/",
    b"+",
    b"#",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b":",
    b",",
    b"\0",
    b"\x7f",
    b"\xff",
    b"\x80\x80\x01",
    b"\x20\x02\x00\x00",
    b"\x32",
    b"\x90\x03",
    b"\xd0\x00",
    b"|",
    b"-----BEGIN ",
    b"productKey",
    b"deviceName",
    b"\x00\x00",
    b"\x30\x82",
    b"e308",
    b"\\u0000",
];

fn mutated(corpus: &[Vec<u8>], random: &mut Random, max_len: usize) -> Vec<u8> {
    let mut input = match corpus.len() {
        0 => Vec::new(),
        len => corpus[random.below(len)].clone(),
    };
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        match random.below(8) {
            0 | 1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
            3 => {
                let bytes = (0..=random.below(8)).map(|_| random.next() as u8);
                input.splice(at..at, bytes.collect::<Vec<_>>());
            }
            4 => {
                let token = TOKENS[random.below(TOKENS.len())];
                input.splice(at..at, token.iter().copied());
            }
            5 => {
                let end = (at + 1 + random.below(16)).min(input.len());
                input.drain(at.min(end)..end);
            }
            6 => {
                let end = (at + 1 + random.below(32)).min(input.len());
                let copy = input[at.min(end)..end].to_vec();
                let to = random.below(input.len() + 1);
                input.splice(to..to, copy);
            }
            _ => {
                if !corpus.is_empty() {
                    let other = &corpus[random.below(corpus.len())];
                    let from = random.below(other.len() + 1);
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
            }
        }
    }
    input.truncate(max_len);
    input
}
