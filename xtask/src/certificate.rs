//! A certificate for measurements, which all programs under test show: ECDSA on P-256.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo::says;
use crate::{Done, Failure};

/// Writes `tls.pem`, `tls.key`, and `tls-both.pem` with both of them for haproxy.
pub(crate) fn write(folder: &Path) -> Done {
    let (key, certificate) = (folder.join("tls.key"), folder.join("tls.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]);
    openssl.args(["-nodes", "-days", "30", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    openssl
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    says(&mut openssl).ok_or_else(|| Failure::new("openssl cannot make a certificate"))?;
    let read = |file: &Path| fs::read_to_string(file).map_err(Failure::of(file.display()));
    let both = read(&certificate)? + &read(&key)?;
    fs::write(folder.join("tls-both.pem"), both).map_err(Failure::of("tls-both.pem"))
}
