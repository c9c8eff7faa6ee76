//! The body of a form (`application/x-www-form-urlencoded`), strictly.

use std::collections::HashMap;

/// The fields of a form; the error is a sentence. A name that comes twice is an error.
pub fn parse(body: &[u8]) -> Result<HashMap<String, String>, String> {
    let mut fields = HashMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if fields
            .insert(name.clone().into_owned(), value.into_owned())
            .is_some()
        {
            return Err(format!("the field {name} comes twice"));
        }
    }
    Ok(fields)
}
