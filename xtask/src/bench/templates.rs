//! The configurations of all programs: texts with `{{names}}` in them.

use std::collections::BTreeMap;

use crate::{Done, Failure};

/// What stands for the names.
pub(super) type Values = BTreeMap<&'static str, String>;

/// Puts the values in. A name without a value is a mistake.
pub(super) fn filled(template: &str, values: &Values) -> Done<String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            return Err(Failure::new("a template has {{ without }}"));
        };
        let value = values.get(name).ok_or_else(|| {
            Failure::new(format!("a template has {{{{{name}}}}}, which has no value"))
        })?;
        out.push_str(before);
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_place_of_names() {
        let values = Values::from([("a", "1".to_owned()), ("b", "{{a}}".to_owned())]);
        assert_eq!(filled("x", &values).expect("nothing to fill"), "x");
        // What was put in is not read again.
        assert_eq!(
            filled("{{a}}-{{b}}{ {{a}} }", &values).expect("filled"),
            "1-{{a}}{ 1 }"
        );
    }

    #[test]
    fn a_name_without_a_value_is_named() {
        let failure = filled("{{c}}", &Values::new()).expect_err("there is no c");
        assert!(failure.to_string().contains("{{c}}"), "{failure}");
        filled("{{c", &Values::new()).expect_err("it does not end");
    }
}
