use super::caller::{CALLER_PREFIXES, CALLER_WORDS};
use super::*;

#[test]
fn the_lists_are_in_the_order_that_they_are_searched_by() {
    let lists = [
        FORWARDING,
        FORWARDING_PREFIXES,
        REWRITTEN,
        HOP_BY_HOP,
        CALLER_WORDS,
        CALLER_PREFIXES,
    ];
    for list in lists {
        assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        for name in list {
            assert!(!is_ambiguous(name), "{name}");
        }
    }
    for prefixes in [FORWARDING_PREFIXES, CALLER_PREFIXES] {
        for (at, prefix) in prefixes.iter().enumerate() {
            let before = prefixes[..at].iter().any(|other| prefix.starts_with(other));
            assert!(!before, "{prefix} begins with another one");
        }
    }
    for name in FORWARDING {
        let family = FAMILIES.begin(name);
        assert!(is_forwarding(name) && !family, "{name}");
    }
    for prefix in FORWARDING_PREFIXES {
        assert!(is_forwarding(prefix), "{prefix}");
        assert!(is_forwarding(&format!("{prefix}-a")), "{prefix}");
    }
    for name in REWRITTEN {
        assert!(is_forwarding(name), "{name}");
    }
}

#[test]
fn what_the_gateway_decides_alone_is_one_list() {
    for name in REWRITTEN.iter().chain(HOP_BY_HOP).chain(&["host"]) {
        assert!(is_the_gateways(name), "{name}");
    }
    for name in [
        "authorization",
        "x-forwarded",
        "x-real-ip2",
        "cookie",
        "via",
        "",
    ] {
        assert!(!is_the_gateways(name), "{name}");
    }
}

#[test]
fn a_name_that_says_who_asks_is_known() {
    for name in [
        "authorization",
        "x-api-key",
        "api-key",
        "apikey",
        "api_key",
        "ocp-apim-subscription-key",
        "x-amz-security-token",
        "private-token",
        "x-auth-token",
        "x-session-id",
        "x-user-id",
        "x-user",
        "x-tenant-id",
        "x-csrf-token",
        "dpop",
        "client-cert",
        "x-forwarded-client-cert",
        "x-forwarded-user",
        "x-forwarded-email",
        "x-auth-request-user",
        "x-authenticated-userid",
        "x-ssl-client-s-dn",
        "x-client-serial",
        "x-consumer-username",
        "x-credential-identifier",
        "x-ms-client-principal-id",
        "x-amzn-oidc-identity",
        "x-goog-authenticated-user-email",
        "x-endpoint-api-userinfo",
        "x-jwt-assertion",
        "x-webauth-user",
        "remote-user",
        "iv-groups",
        "tailscale-user-login",
    ] {
        assert!(speaks_for_a_caller(name), "{name}");
    }
    for name in [
        "",
        "accept",
        "accept-language",
        "user-agent",
        "x-user-agent",
        "sec-fetch-user",
        "sec-websocket-key",
        "idempotency-key",
        "if-none-match",
        "cf-connecting-ip",
        "cf-ray",
        "x-request-id",
        "x-original-host",
        "x-keys",
        "x-monkey",
    ] {
        assert!(!speaks_for_a_caller(name), "{name}");
    }
}

#[test]
fn a_name_that_speaks_for_a_proxy_is_known() {
    for name in [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-client-cert",
        "x-forwarded-prefix",
        "x-real-ip",
        "x-original-url",
        "x-rewrite-url",
        "true-client-ip",
        "x-client-ip",
        "front-end-https",
        "x-http-method-override",
        "x-ssl-client-verify",
        "x-webauth-role",
        "wl-proxy-client-cert",
        "wl-proxy-client-keysize",
        "fly-forwarded-proto",
        "x-appengine-cron",
        "x-ms-token-aad-id-token",
        "x-endpoint-api-userinfo",
        "x-apigateway-api-userinfo",
        "remote-roles",
        "x-client-s-dn",
        "x-client-subject",
        "x-client-serial",
        "x-client-fingerprint",
        "x-tls-client-subject",
        "x-ssl-cipher",
        "x-real-host",
        "x-real-ip-address",
        "x-amzn-mtls-clientcert-leaf",
        "cloudfront-viewer-address",
        "cf-access-jwt-assertion",
        "cf-ipcountry",
        "x-consumer-id",
        "x-credential-identifier",
        "x-authentik-groups",
        "x-pomerium-claim-email",
        "tailscale-user-login",
        "x-vouch-user",
        "oidc-claim-sub",
        "iv-user",
        "sm-user",
        "oam-remote-user",
        "x-shib-uid",
        "shib-session-id",
        "x-jwt-assertion",
        "x-userinfo",
        "x-iisnode-auth-user",
        "x-spiffe-id",
        "x-proxy-user",
        "proxy-remote-user",
        "x-forward-for",
        "x-forward-proto",
        "x-forwarder-for",
        "x-akamai-client-ip",
        "cdn-src-ip",
        "ali-cdn-real-ip",
        "x-custom-ip-authorization",
        "x-source-ip",
        "x-replaced-path",
        "x-original",
        "x-originating-ip",
        "x-rack-script-name",
        "disguised-host",
        "x-azure-fdid",
        "x-host-override",
        "x-http-host",
        "x-backend-host",
        "x-host",
    ] {
        assert!(is_forwarding(name), "{name}");
    }
    for name in [
        "",
        "accept",
        "authorization",
        "cookie",
        "content-type",
        "origin",
        "referer",
        "user-agent",
        "traceparent",
        "x-request-id",
        "x-requested-with",
        "x-api-key",
        "x-user-id",
        "x-real",
        "x-reality",
        "x-origin",
        "x-amzn-trace-id",
        "x-client-id",
        "x-client-version",
        "x-email",
        "cdn-loop",
        "forwarded-fo",
        "cf",
        "zz",
    ] {
        assert!(!is_forwarding(name), "{name}");
    }
}

#[test]
fn a_name_that_folds_into_another_is_ambiguous() {
    for name in [
        "x_user_id",
        "x-user_id",
        "x.user.id",
        "x!a",
        "x~a",
        "_",
        "content_length",
    ] {
        assert!(is_ambiguous(name), "{name}");
    }
    for name in ["x-user-id", "host", "x-1", "dnt", "sec-ch-ua"] {
        assert!(!is_ambiguous(name), "{name}");
    }
}

#[test]
fn a_pattern_is_a_name_or_the_beginning_of_names() {
    let patterns = NamePatterns::new(["X-Team", "x-internal-*"]);
    for (name, held) in [
        ("x-team", true),
        ("x-team-a", false),
        ("x-internal-", true),
        ("x-internal-a", true),
        ("x-intern", false),
    ] {
        assert_eq!(patterns.hold(name), held, "{name}");
    }
    assert!(!patterns.is_empty() && NamePatterns::default().is_empty());
    assert!(!NamePatterns::new(["a"]).is_empty() && !NamePatterns::new(["a*"]).is_empty());
}
