//! The admin listener.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, List, Secret, Table, Tables, Text};
use super::{Section, key};

pub(crate) static ADMIN: Section = Section {
    title: "[admin]",
    doc: "Who may ask what of `listen.admin`. On loopback everybody on this machine may do everything until `tokens` or `tls.client_ca` is given; an address that is not loopback needs one of them. `/livez` and `/readyz` are for everybody. A change serves from the next request on.",
    keys: &[
        key(
            "tokens",
            Tables(&TOKEN),
            Words("none"),
            "sent as `Authorization: Bearer …`",
        ),
        key(
            "tls",
            Table(&ADMIN_TLS),
            Words("clear text"),
            "speak TLS, and know clients by their certificates",
        ),
        key(
            "hosts",
            List,
            Words("on loopback: addresses and `localhost`; else any"),
            "names that requests may have in `Host` besides addresses and `localhost`: a page whose name was made to point here is kept out (DNS rebinding)",
        ),
    ],
};

pub(crate) static TOKEN: Section = Section {
    title: "[[admin.tokens]]",
    doc: "Also written `tokens = [{ name = \"ci\", token = { env = \"ADMIN_TOKEN\" }, role = \"write\" }]`.",
    keys: &[
        key("name", Text, Required, "whose it is, for the audit log"),
        key(
            "token",
            Secret,
            Required,
            "at least 16 letters, digits and `-._~+/=`; `openssl rand -hex 16` makes a good one",
        ),
        key(
            "role",
            Choice(&["read", "write"]),
            Value("read"),
            "`write` may also change something",
        ),
    ],
};

pub(crate) static ADMIN_TLS: Section = Section {
    title: "[admin.tls]",
    doc: "Files are PEM, relative to gateway.toml, and read again when they change.",
    keys: &[
        key(
            "certificate",
            Text,
            Required,
            "a file with the certificate, then those between it and the authority",
        ),
        key("key", Text, Required, "a file with its private key"),
        key(
            "client_ca",
            Text,
            Words("clients are not asked for a certificate"),
            "the authorities whose client certificates are good",
        ),
        key(
            "client_auth",
            Choice(&["required", "optional"]),
            Value("required"),
            "whether a client without a certificate may come in, to show a token",
        ),
        key(
            "client_role",
            Choice(&["read", "write"]),
            Value("read"),
            "what a client may with a certificate alone",
        ),
    ],
};
