//! TLS, towards clients and towards upstreams.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, Duration, Flag, List, Table, Tables, Text};
use super::{Section, key};

pub(crate) static TLS: Section = Section {
    title: "[tls]",
    doc: "What `listen.https` shows to clients and asks of them. Files are PEM, relative to gateway.toml, and read again when they change: connections go on, handshakes from then on see the new ones.",
    keys: &[
        key(
            "certificates",
            Tables(&CERTIFICATE),
            Words("one of `certificates` and `self_signed`"),
            "a client is shown the one that has the name it asks for (SNI); the first also answers clients that ask for another name or for none",
        ),
        key(
            "self_signed",
            List,
            Words("one of `certificates` and `self_signed`"),
            "for development: names and addresses (`\"localhost\"`) of a certificate that is made at each start and that nobody trusts",
        ),
        key(
            "client_ca",
            Text,
            Words("clients are not asked for a certificate"),
            "the authorities whose client certificates are good; what is in one becomes the attributes `client.cert.*`",
        ),
        key(
            "client_auth",
            Choice(&["required", "optional"]),
            Value("required"),
            "whether a client without a certificate may come in; one with a bad certificate never may",
        ),
        key(
            "min_version",
            Choice(&["1.2", "1.3"]),
            Value("1.2"),
            "the oldest version of TLS",
        ),
        key(
            "handshake",
            Duration("1ms", "1m"),
            Value("10s"),
            "how long a handshake may take, from the accept",
        ),
        key(
            "hsts",
            Table(&HSTS),
            Words("no such header"),
            "tell browsers to come by https only (`Strict-Transport-Security`, RFC 6797)",
        ),
    ],
};

pub(crate) static CERTIFICATE: Section = Section {
    title: "[[tls.certificates]]",
    doc: "Also written `certificates = [{ certificate = \"a.pem\", key = \"a.key\" }]`. Which names it is for stands in the certificate itself.",
    keys: &[
        key(
            "certificate",
            Text,
            Required,
            "a file with the certificate, then those between it and the authority",
        ),
        key(
            "key",
            Text,
            Required,
            "a file with its private key: PKCS#8, PKCS#1 or SEC1",
        ),
    ],
};

pub(crate) static HSTS: Section = Section {
    title: "[tls.hsts]",
    doc: "Sent over https only. Browsers remember it: begin with a short time.",
    keys: &[
        key(
            "max_age",
            Duration("0s", "1095d"),
            Value("180d"),
            "how long a browser remembers; `\"0s\"` makes it forget",
        ),
        key(
            "include_subdomains",
            Flag,
            Value("false"),
            "all names below this one too",
        ),
        key(
            "preload",
            Flag,
            Value("false"),
            "ask to be on the lists that browsers are built with; needs `include_subdomains` and a year",
        ),
    ],
};

pub(crate) static UPSTREAM_TLS: Section = Section {
    title: "[upstream.NAME.tls]",
    doc: "Speak TLS to the servers. `tls = {}` verifies them against the roots of the system.",
    keys: &[
        key(
            "ca",
            Text,
            Words("the roots of the system"),
            "the authorities whose server certificates are good; the system's are not beside them",
        ),
        key(
            "certificate",
            Text,
            Words("none"),
            "our certificate, for servers that ask for one",
        ),
        key("key", Text, Words("none"), "its private key"),
        key(
            "server_name",
            Text,
            Words("the host of the server's address"),
            "the name that is asked for (SNI) and that the certificate must have",
        ),
        key(
            "verify",
            Flag,
            Value("true"),
            "`false`: whoever answers is believed; for development",
        ),
    ],
};
