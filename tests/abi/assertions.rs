//! Writes a C program that checks the headers against the recorded interface of the Link SDK.
//!
//! Names, values, types, sizes and offsets become declarations that do not compile when wrong, valid as
//! C99 and as C++14. Texts behind string macros are compared when the program runs.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// What `tests/data/abi` records.
pub struct Recorded {
    pub sdk: Value,
    pub codes: Value,
}

impl Recorded {
    pub fn load() -> Self {
        let read = |name: &str| {
            let path = format!("{}/tests/data/abi/{name}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).expect(&path);
            serde_json::from_str(&text).expect(&path)
        };
        Recorded {
            sdk: read("link-sdk-3.2.0.json"),
            codes: read("state-codes.json"),
        }
    }

    /// Whether the recorded function is one the library leaves out.
    pub fn left_out(&self, function: &str) -> bool {
        self.sdk["not_offered"].get(function).is_some()
    }

    /// The entries `section` of all headers.
    pub fn all(&self, section: &str) -> Vec<&Value> {
        list(&self.sdk["headers"])
            .iter()
            .flat_map(|header| list(&header[section]))
            .collect()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn map(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The program under construction, with the number of checks it holds.
struct Program {
    source: String,
    checks: usize,
}

impl Program {
    fn line(&mut self, line: &str) {
        self.source.push_str(line);
        self.source.push('\n');
    }

    fn that(&mut self, condition: &str) {
        let number = self.checks;
        self.checks += 1;
        self.line(&format!(
            "typedef char check_{number}[({condition}) ? 1 : -1];"
        ));
    }

    /// `value` is an unevaluated expression for C, `cpp` what decltype takes in C++.
    fn same_type(&mut self, value: &str, cpp: &str, wanted: &str) {
        self.line("#ifdef __cplusplus");
        self.that(&format!("std::is_same<decltype({cpp}), {wanted}>::value"));
        self.line("#else");
        self.that(&format!(
            "__builtin_types_compatible_p(__typeof__({value}), {wanted})"
        ));
        self.line("#endif");
    }

    /// A condition on a number that differs between 64-bit and 32-bit targets.
    fn number(&mut self, expression: &str, wide: &Value, narrow: &Value) {
        self.that(&format!(
            "{expression} == (sizeof(void *) == 8 ? {wide} : {narrow})"
        ));
    }

    fn guarded(&mut self, item: &Value, body: impl FnOnce(&mut Self)) {
        match item["if"].as_str() {
            Some(condition) => {
                self.line(&format!("#if {condition}"));
                body(self);
                self.line("#endif");
            }
            None => body(self),
        }
    }
}

/// The program and the number of compile-time checks in it.
pub fn program(recorded: &Recorded, headers: &[String]) -> (String, usize) {
    let mut out = Program {
        source: String::new(),
        checks: 0,
    };
    for header in headers {
        out.line(&format!("#include \"{header}\""));
    }
    out.line("#include <stddef.h>\n#include <string.h>");
    out.line("#ifdef __cplusplus\n#include <type_traits>\n#endif");
    for section in ["state_code_bases", "state_codes", "return_codes"] {
        for (name, value) in map(&recorded.codes[section]) {
            out.that(&format!("{name} == {value}"));
        }
    }
    let mut texts = String::new();
    for header in list(&recorded.sdk["headers"]) {
        for item in list(&header["enums"]) {
            out.guarded(item, |out| enumeration(out, item));
        }
        for item in list(&header["structs"]) {
            out.guarded(item, |out| structure(out, item));
        }
        for item in list(&header["function_pointer_types"]) {
            let (name, wanted) = (text(item, "name"), text(item, "type"));
            out.same_type(&format!("({name})0"), &format!("({name})0"), wanted);
        }
        for item in list(&header["typedefs"]) {
            // `void` has no values, but pointers to it have.
            let (name, wanted) = (text(item, "name"), text(item, "type"));
            let value = format!("({name} *)0");
            out.same_type(&value, &value, &format!("{wanted} *"));
        }
        for item in list(&header["variables"]) {
            let (name, wanted) = (text(item, "name"), text(item, "type"));
            out.same_type(name, name, wanted);
        }
        for item in list(&header["functions"]) {
            if !recorded.left_out(text(item, "name")) {
                function(&mut out, item);
            }
        }
        for (name, value) in map(&header["macro_constants"]) {
            match value.as_str() {
                Some(_) => {
                    let _ = writeln!(texts, "    differing += strcmp({name}, {value}) != 0;");
                }
                None => out.that(&format!("{name} == {value}")),
            }
        }
        let aliases = map(&header["macro_aliases"]).map(|(name, _)| name.as_str());
        let functions = list(&header["macro_functions"])
            .iter()
            .filter_map(Value::as_str);
        for name in aliases.chain(functions) {
            out.line(&format!("#ifndef {name}\n#error {name} is missing\n#endif"));
        }
    }
    out.line(&format!(
        "int main(void)\n{{\n    int differing = 0;\n\n{texts}    return differing;\n}}"
    ));
    (out.source, out.checks)
}

fn enumeration(out: &mut Program, item: &Value) {
    for (name, value) in map(&item["constants"]) {
        out.that(&format!("{name} == {value}"));
    }
    if item.get("name").is_some() {
        out.that(&format!("sizeof({}) == sizeof(int)", text(item, "name")));
    }
    if item.get("tag").is_some() {
        out.that(&format!(
            "sizeof(enum {}) == sizeof(int)",
            text(item, "tag")
        ));
    }
}

fn structure(out: &mut Program, item: &Value) {
    let kind = if item["union"] == true {
        "union"
    } else {
        "struct"
    };
    let tagged = format!("{kind} {}", text(item, "tag"));
    let name = item["name"].as_str().unwrap_or(&tagged);
    out.number(&format!("sizeof({name})"), &item["size"], &item["size32"]);
    let probe = format!("align_{}", out.checks);
    out.line(&format!("struct {probe} {{ char before; {name} item; }};"));
    out.number(
        &format!("offsetof(struct {probe}, item)"),
        &item["align"],
        &item["align32"],
    );
    if item.get("tag").is_some() {
        out.number(&format!("sizeof({tagged})"), &item["size"], &item["size32"]);
    }
    for pointer in list(&item["pointer_typedefs"])
        .iter()
        .filter_map(Value::as_str)
    {
        let value = format!("({pointer})0");
        out.same_type(&value, &value, &format!("{name} *"));
    }
    for field in list(&item["fields"]) {
        let member = text(field, "name");
        let (wide, narrow) = (&field["at"], &field["at32"]);
        out.number(&format!("offsetof({name}, {member})"), &wide[0], &narrow[0]);
        out.number(
            &format!("sizeof((({name} *)0)->{member})"),
            &wide[1],
            &narrow[1],
        );
        let value = format!("(({name} *)0)->{member}");
        out.same_type(
            &value,
            &format!("{}::{member}", name.trim_start_matches("struct ")),
            text(field, "type"),
        );
    }
}

fn function(out: &mut Program, item: &Value) {
    let mut parameters: Vec<_> = list(&item["params"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if item["variadic"] == true {
        parameters.push("...");
    }
    if parameters.is_empty() {
        parameters.push("void");
    }
    let value = format!("&{}", text(item, "name"));
    let wanted = format!("{} (*)({})", text(item, "returns"), parameters.join(", "));
    out.same_type(&value, &value, &wanted);
}
