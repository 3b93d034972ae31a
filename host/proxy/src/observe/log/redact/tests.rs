use super::*;

fn redaction() -> Redaction {
    Redaction::new(&Redact {
        headers: vec!["x-mine".to_owned()],
        parameters: vec!["pin".to_owned()],
        members: vec!["card-number".to_owned()],
    })
}

#[test]
fn a_secret_parameter_is_found_however_its_name_is_written() {
    let redaction = redaction();
    // (query, what is told)
    let table = [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("tma=S", "tma=[redacted]"),
        ("TMA=S", "TMA=[redacted]"),
        ("a=1&tma=S&b", "a=1&tma=[redacted]&b"),
        ("t%6da=S", "t%6da=[redacted]"),
        ("%74%6D%61=S", "%74%6D%61=[redacted]"),
        ("%2574%256D%2561=S", "%2574%256D%2561=[redacted]"),
        ("tma%3DS", "[redacted]"),
        ("tma%3DS=x", "[redacted]"),
        ("a%26tma%3DS=x", "[redacted]"),
        ("tma=S;x=1", "tma=[redacted];x=1"),
        ("tma=S=S&x", "tma=[redacted]&x"),
        ("tma", "tma"),
        ("access-token=S", "access-token=[redacted]"),
        ("user[password]=S", "user[password]=[redacted]"),
        ("user%5Bpassword%5D=S", "user%5Bpassword%5D=[redacted]"),
        ("pin=S", "pin=[redacted]"),
        ("pinned=1", "pinned=1"),
        ("next=/a?token=S", "next=/a?token=[redacted]"),
        ("next=%2Fa%3Ftoken%3DS", "next=[redacted]"),
        ("next=%2Fa%3Fpage%3D2", "next=%2Fa%3Fpage%3D2"),
        ("x=user%3D1%26auth_date%3D2%26hash%3DS", "x=[redacted]"),
        (
            "x=user%253D1%2526auth_date%253D2%2526hash%253DS",
            "x=[redacted]",
        ),
        ("+tma=S", "+tma=[redacted]"),
        ("%20tma=S", "%20tma=[redacted]"),
        ("%FFtma=1", "%FFtma=1"),
    ];
    for (query, told) in table {
        assert_eq!(redaction.query(query), told, "{query}");
    }
}

#[test]
fn a_secret_header_is_told_by_its_name_and_an_address_without_its_secrets() {
    let redaction = redaction();
    let init_data = "query_id=A&auth_date=1&hash=S";
    let table = [
        ("authorization", "Bearer S", REDACTED),
        ("Authorization", "tma S", REDACTED),
        ("cookie", "a=S", REDACTED),
        ("set-cookie", "a=S", REDACTED),
        ("x-mine", "S", REDACTED),
        ("X-MINE", "S", REDACTED),
        ("x-other", init_data, REDACTED),
        ("accept", "text/html;q=0.5", "text/html;q=0.5"),
        ("referer", "https://a.test/b?c=1", "https://a.test/b?c=1"),
        (
            "referer",
            "https://a.test/?tma=S&c",
            "https://a.test/?tma=[redacted]&c",
        ),
        ("location", "/#tgWebAppData=S", "/#tgWebAppData=[redacted]"),
    ];
    for (name, value, told) in table {
        assert_eq!(redaction.header(name, value), told, "{name}: {value}");
    }
}

#[test]
fn secret_members_are_found_at_any_depth() {
    let redaction = redaction();
    let body = br#"{"a":1,"Password":"S","b":[{"card_number":"S","c":{"token":{"x":"S"}}}],"d":"auth_date=1&hash=S"}"#;
    let told = redaction.json(body).expect("it is JSON").to_string();
    let expected = r#"{"Password":"[redacted]","a":1,"b":[{"c":{"token":"[redacted]"},"card_number":"[redacted]"}],"d":"[redacted]"}"#;
    assert_eq!(told, expected);
    let within = br#"{"a":"{\"token\":\"S\",\"b\":1}","c":"{\"token\":\"S","d":"/x?token=S&e=1","f":"1 = 1"}"#;
    let told = redaction.json(within).expect("it is JSON");
    let expected = serde_json::json!({
        "a": r#"{"b":1,"token":"[redacted]"}"#,
        "c": "[redacted]",
        "d": "/x?token=[redacted]&e=1",
        "f": "1 = 1",
    });
    assert_eq!(told, expected);
    let deep = format!("{}\"S\"{}", "[".repeat(100), "]".repeat(100));
    let told = redaction
        .json(deep.as_bytes())
        .expect("it is JSON")
        .to_string();
    assert!(!told.contains('S'), "{told}");
    assert!(redaction.json(br#"{"a":"#).is_none());
}

/// A generator (Knuth's MMIX) that begins with the same seed every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// The same name to whoever reads it: some letters in upper case, some percent-encoded, some of these again.
    fn spell(&mut self, name: &str) -> String {
        let mut spelt = name.to_owned();
        for _ in 0..=self.roll(3) {
            let letter = |letter: char| match self.roll(4) {
                0 => format!("%{:02x}", u32::from(letter)),
                1 => format!("%{:02X}", u32::from(letter)),
                2 if !spelt.contains('%') => letter.to_ascii_uppercase().to_string(),
                _ => letter.to_string(),
            };
            spelt = spelt.chars().map(letter).collect();
        }
        spelt
    }
}

#[test]
fn no_spelling_of_a_name_hides_a_secret() {
    const SECRET: &str = "S3CR3T";
    let redaction = redaction();
    let mut dice = Dice(1);
    for _ in 0..20_000 {
        let names = [&NAMES[..], &PARAMETERS[..], &["pin"]].concat();
        let picked = usize::try_from(dice.roll(names.len() as u64)).expect("it is small");
        let name = dice.spell(names[picked]);
        let query = match dice.roll(4) {
            0 => format!("{name}={SECRET}"),
            1 => format!("a=1&{name}={SECRET}&b=2"),
            2 => format!("a[{name}]={SECRET};c"),
            _ => format!("next=%2Fx%3F{name}%3D{SECRET}&b"),
        };
        let told = redaction.query(&query);
        assert!(!told.contains(SECRET), "{query} is told as {told}");
        let referer = format!("https://a.test/b?{query}#{query}");
        let told = redaction.header("referer", &referer);
        assert!(!told.contains(SECRET), "{referer} is told as {told}");
    }
}
