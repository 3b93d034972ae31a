//! What a client certificate says, as text that cannot be read two ways. Its signature was checked before.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use portcullis_exchange::ClientCertificate;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

/// None where the certificate is one that rustls reads and x509-parser does not.
pub(super) fn read(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, leaf) = X509Certificate::from_der(der).ok()?;
    let mut fingerprint = String::with_capacity(64);
    for byte in Sha256::digest(der) {
        write!(fingerprint, "{byte:02x}").ok()?;
    }
    let mut read = ClientCertificate {
        subject: distinguished(leaf.subject()),
        fingerprint,
        ..ClientCertificate::default()
    };
    let names = leaf.subject_alternative_name().ok().flatten();
    for name in names.iter().flat_map(|names| &names.value.general_names) {
        match name {
            GeneralName::DNSName(name) => keep(&mut read.dns, &name.to_ascii_lowercase()),
            GeneralName::URI(uri) => keep(&mut read.uri, uri),
            GeneralName::RFC822Name(email) => keep(&mut read.email, email),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(|b| Ipv4Addr::from(b).to_string());
                let v6 = <[u8; 16]>::try_from(*bytes).map(|b| Ipv6Addr::from(b).to_string());
                v4.or(v6).into_iter().for_each(|ip| keep(&mut read.ip, &ip));
            }
            _ => {}
        }
    }
    Some(read)
}

/// Lists are told joined by commas: a name that holds one is left out rather than read as two.
fn keep(names: &mut Vec<String>, name: &str) {
    if !name.contains(',') && !name.chars().any(char::is_control) {
        names.push(name.to_owned());
    }
}

/// RFC 4514: the most particular part first, what has a meaning escaped.
fn distinguished(name: &X509Name<'_>) -> String {
    let parts = name.iter_rdn().map(|rdn| {
        let values: Vec<String> = rdn.iter().map(attribute).collect();
        values.join("+")
    });
    let mut parts: Vec<String> = parts.collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(part: &AttributeTypeAndValue<'_>) -> String {
    let oid = part.attr_type().to_id_string();
    // RFC 4514 section 3, and what people expect of serialNumber and emailAddress.
    let kind = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "2.5.4.5" => "serialNumber",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        "1.2.840.113549.1.9.1" => "emailAddress",
        other => other,
    };
    match part.as_str() {
        Ok(value) => format!("{kind}={}", escaped(value)),
        // RFC 4514 section 2.4: as hexadecimal what is not text.
        Err(_) => part
            .attr_value()
            .data
            .iter()
            .fold(format!("{kind}=#"), |mut text, byte| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            }),
    }
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        let edge = (c == ' ' && (at == 0 || at == last)) || (c == '#' && at == 0);
        if edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            text.push('\\');
            text.push(c);
        } else if c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\{byte:02x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_cannot_pose_as_another_part() {
        let cases = [
            ("evil,O=admins", r"evil\,O\=admins"),
            (" a ", r"\ a\ "),
            ("#1", r"\#1"),
            ("a\nb", r"a\0ab"),
            ("a\\,b", r"a\\\,b"),
            ("Ünal", "Ünal"),
            ("", ""),
        ];
        for (value, want) in cases {
            assert_eq!(escaped(value), want, "{value:?}");
        }
    }
}
