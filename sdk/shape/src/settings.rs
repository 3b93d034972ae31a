//! Types of settings.

use portcullis_sdk::prelude::*;

use crate::Json;

/// A size in bytes: "4096", "256KiB", "1MiB".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Size(pub u32);

/// Statuses: 404, "2xx".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Json>")]
pub struct Statuses(Vec<(u16, u16)>);

/// 404, or "2xx".
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Status {
    Code(u16),
    Class(String),
}

impl JsonSchema for Statuses {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Statuses".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<Status>::json_schema(generator)
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Size, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit: u32 = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => 0,
        };
        number
            .parse::<u32>()
            .ok()
            .filter(|_| unit > 0)
            .and_then(|number| number.checked_mul(unit))
            .filter(|size| *size > 0)
            .map(Size)
            .ok_or_else(|| format!("{text:?} is no size; write \"256KiB\" or \"1MiB\""))
    }
}

impl TryFrom<Vec<Json>> for Statuses {
    type Error = String;

    fn try_from(list: Vec<Json>) -> Result<Statuses, String> {
        list.iter()
            .map(range)
            .collect::<Result<_, _>>()
            .map(Statuses)
    }
}

fn range(status: &Json) -> Result<(u16, u16), String> {
    let wrong = || format!("{status} is no status; write 404 or \"2xx\"");
    match status {
        Json::Number(_) => status
            .as_u16()
            .filter(|code| (100..600).contains(code))
            .map(|code| (code, code))
            .ok_or_else(wrong),
        Json::String(text) => match text.as_bytes() {
            [first @ b'1'..=b'5', b'x', b'x'] => {
                let first = u16::from(first - b'0') * 100;
                Ok((first, first + 99))
            }
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

impl Statuses {
    /// 2xx.
    pub fn success() -> Statuses {
        Statuses(vec![(200, 299)])
    }

    /// Whether the status is among them.
    pub fn has(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&status))
    }
}
