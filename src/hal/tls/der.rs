//! The few DER structures of a certificate that name checks need: GeneralNames and Name.
//!
//! Input comes from the network; every length is checked and a malformed structure yields what
//! was read before the fault, which can only make a name check fail, never succeed.

/// OBJECT IDENTIFIER 2.5.4.3, commonName.
const OID_COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const TAG_SEQUENCE: u8 = 0x30;
const TAG_SET: u8 = 0x31;
const TAG_OID: u8 = 0x06;
/// `[2]` of GeneralName: dNSName.
const TAG_SAN_DNS: u8 = 0x82;
/// `[7]` of GeneralName: iPAddress.
const TAG_SAN_IP: u8 = 0x87;

/// The names of a subjectAltName extension that concern TLS servers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AltNames<'a> {
    /// dNSName entries, raw bytes.
    pub dns: Vec<&'a [u8]>,
    /// iPAddress entries: 4 or 16 bytes if well formed.
    pub ip: Vec<&'a [u8]>,
}

/// Reads one element; returns tag, content and the rest.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7F);
        // Indefinite lengths and lengths over 24 bits do not occur in certificates.
        if count == 0 || count > 3 || rest.len() < count {
            return None;
        }
        let (bytes, rest) = rest.split_at(count);
        (
            bytes.iter().fold(0, |sum, &b| sum << 8 | usize::from(b)),
            rest,
        )
    };
    if rest.len() < length {
        return None;
    }
    let (content, rest) = rest.split_at(length);
    Some((tag, content, rest))
}

/// The content of `input`'s first element if it has `tag`.
fn content_of(tag: u8, input: &[u8]) -> Option<&[u8]> {
    element(input)
        .filter(|found| found.0 == tag)
        .map(|found| found.1)
}

/// Parses the value of a subjectAltName extension (RFC 5280 §4.2.1.6).
pub fn alt_names(value: &[u8]) -> AltNames<'_> {
    let mut names = AltNames::default();
    let mut rest = content_of(TAG_SEQUENCE, value).unwrap_or_default();
    while let Some((tag, content, tail)) = element(rest) {
        match tag {
            TAG_SAN_DNS => names.dns.push(content),
            TAG_SAN_IP => names.ip.push(content),
            _ => {}
        }
        rest = tail;
    }
    names
}

/// The last (most specific) commonName of a DER encoded Name (RFC 5280 §4.1.2.4).
pub fn common_name(name: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    let mut sets = content_of(TAG_SEQUENCE, name)?;
    while let Some((tag, set, tail)) = element(sets) {
        sets = tail;
        if tag != TAG_SET {
            continue;
        }
        let mut attributes = set;
        while let Some((tag, attribute, tail)) = element(attributes) {
            attributes = tail;
            if tag != TAG_SEQUENCE {
                continue;
            }
            if let Some((TAG_OID, oid, value)) = element(attribute)
                && oid == OID_COMMON_NAME
            {
                found = element(value).map(|value| value.1).or(found);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{alt_names, common_name, element};

    #[test]
    fn alternative_names_are_found_by_kind() {
        let value = [
            0x30, 0x0D, // GeneralNames
            0x82, 0x03, b'a', b'.', b'b', // dNSName
            0x86, 0x00, // URI
            0x87, 0x04, 10, 0, 0, 1, // iPAddress
        ];
        let names = alt_names(&value);
        assert_eq!(names.dns, [b"a.b"]);
        assert_eq!(names.ip, [[10, 0, 0, 1]]);
    }

    #[test]
    fn truncated_input_never_reads_past_the_end() {
        let value = [0x30, 0x0B, 0x82, 0x03, b'a', b'.', b'b', 0x87, 0x04, 10, 0];
        for end in 0..value.len() {
            let names = alt_names(&value[..end]);
            assert!(names.dns.is_empty() && names.ip.is_empty());
        }
        assert!(element(&[0x30, 0x80, 0, 0]).is_none());
        assert!(element(&[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]).is_none());
    }

    #[test]
    fn common_name_of_a_name() {
        let name = [
            0x30, 0x1A, // Name
            0x31, 0x0B, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x06, 0x13, 0x02, b'C', b'N', // C
            0x31, 0x0B, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0C, 0x02, b'a',
            b'b', // CN
        ];
        assert_eq!(common_name(&name), Some(&b"ab"[..]));
        assert_eq!(common_name(&[0x30, 0x00]), None);
    }
}
