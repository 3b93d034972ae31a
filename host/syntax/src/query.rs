//! Names of query parameters: what some servers read where others read another name, or none.

use crate::target::encoded_byte;

/// Whether some servers find a parameter `name` in a query where the gateway finds none: PHP writes `_` for spaces, dots
/// and single brackets, drops spaces before a name and ends it at a NUL; PHP and Rails take `name[]` and `name[key]` for
/// `name`; and for some, `;` ends a parameter.
///
/// Also where it stands twice with different values, of which one program takes the first and another the last.
pub fn is_ambiguous(query: &str, name: &str) -> bool {
    let mut first = None;
    let mut pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.any(|pair| {
        let (literal, value) = pair.split_once('=').unwrap_or((pair, ""));
        let literal = decoded(literal);
        if literal == name {
            // What stands behind a `;` may be another parameter of this name.
            let value = decoded(value);
            return *first.get_or_insert_with(|| value.clone()) != value || hides(pair, name);
        }
        folded(&literal).as_deref() == Some(name) || hides(pair, name)
    })
}

/// Whether a part of the pair that a `;` cuts off has this name.
fn hides(pair: &str, name: &str) -> bool {
    let own = pair.split('=').next().unwrap_or_default();
    pair.split(';').enumerate().any(|(at, part)| {
        let part = part.split('=').next().unwrap_or_default();
        let is_another = at > 0 || part.len() != own.len();
        let part = decoded(part);
        is_another && (part == name || folded(&part).as_deref() == Some(name))
    })
}

/// A name as PHP registers the variable; None where it registers none.
fn folded(name: &str) -> Option<String> {
    let name = name.split('\0').next().unwrap_or_default();
    let name = name.trim_start_matches(' ');
    let (stem, index) = name.split_once('[').unwrap_or((name, ""));
    // A bracket that nothing closes is a part of the name.
    let whole = if index.contains(']') { stem } else { name };
    (!stem.is_empty()).then(|| whole.replace([' ', '.', '['], "_"))
}

/// Decoded as a form is; what is no encoding stays as it is.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [b, after @ ..] = rest {
        let encoded = (*b == b'%').then(|| encoded_byte(after)).flatten();
        rest = match encoded {
            Some(value) => {
                out.push(value);
                &after[2..]
            }
            None => {
                out.push(if *b == b'+' { b' ' } else { *b });
                after
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_others_read_is_found() {
        for (query, ambiguous) in [
            ("", false),
            ("user_id=1", false),
            ("user_id", false),
            ("user%5Fid=1", false),
            ("other=1&user_id=1", false),
            ("userid=1&user-id=2&USER_ID=3", false),
            ("xuser_id=1&user_idx=1", false),
            ("other=user_id&x=user.id", false),
            ("user_id=1&user_id=1", false),
            ("user_id=1&user_id=%31", false),
            ("user_id=1&user_id=2", true),
            ("user_id&user_id=2", true),
            ("user_id=1&user%5fid=2", true),
            ("user.id=1", true),
            ("user%2Eid=1", true),
            ("user+id=1", true),
            ("user%20id=1", true),
            ("+user_id=1", true),
            ("%20%20user_id=1", true),
            ("user_id%00=1", true),
            ("user_id%00x=1", true),
            ("user[id=1", true),
            ("user%5Bid=1", true),
            ("user_id[]=1", true),
            ("user_id[0]=1", true),
            ("user_id%5Bx%5D=1", true),
            ("user.id[]=1", true),
            ("a;user_id=1", true),
            ("a=1;user_id=2", true),
            ("a=1;user.id=2", true),
            ("user_id;a=1", true),
            ("user_id=1;user_id=2", true),
            ("user_id=1;b=2", false),
            ("user_id=1&amp;user_id=2", true),
            ("[user_id]=1", false),
            ("%user_id=1", false),
            ("user_id%ff=1", false),
        ] {
            assert_eq!(is_ambiguous(query, "user_id"), ambiguous, "{query}");
        }
        assert!(!is_ambiguous("a.b=1", "a.b") && is_ambiguous("a.b=1", "a_b"));
        assert!(is_ambiguous("a%=1&a%=2", "a%"));
    }
}
