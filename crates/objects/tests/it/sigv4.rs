//! AWS Signature Version 4 for query strings, written from its specification and sharing nothing with the client.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use url::Url;

/// Checks the signature of a request as a store does, given the headers the request carries besides `host`.
pub(crate) fn verify(method: &str, url: &Url, headers: &[(&str, &str)], secret: &str) -> Result<(), String> {
    let mut query: Vec<(String, String)> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let signature_at = query.iter().position(|(name, _)| name == "X-Amz-Signature").ok_or("no signature")?;
    let (_, signature) = query.remove(signature_at);
    let param = |name: &str| {
        let found = query.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        found.ok_or_else(|| format!("no {name}"))
    };
    if param("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
        return Err("another algorithm".into());
    }
    let date = param("X-Amz-Date")?;
    let credential = param("X-Amz-Credential")?;
    let (_, scope) = credential.split_once('/').ok_or("no scope")?;
    let scope_parts: Vec<&str> = scope.split('/').collect();
    let [day, region, service, terminator] = scope_parts[..] else { return Err("an odd scope".into()) };
    if !date.starts_with(day) || service != "s3" || terminator != "aws4_request" {
        return Err("the scope is of another day or service".into());
    }

    let mut canonical_query: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    canonical_query.sort();
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap()),
        None => url.host_str().unwrap().to_owned(),
    };
    let signed_headers = param("X-Amz-SignedHeaders")?;
    let mut canonical_headers = String::new();
    for name in signed_headers.split(';') {
        let value = match name {
            "host" => host.as_str(),
            _ => headers.iter().find(|(n, _)| *n == name).ok_or(format!("{name} was not sent"))?.1,
        };
        writeln!(canonical_headers, "{name}:{}", value.trim()).unwrap();
    }
    let request = format!(
        "{method}\n{}\n{}\n{canonical_headers}\n{signed_headers}\nUNSIGNED-PAYLOAD",
        url.path(),
        canonical_query.join("&"),
    );
    let hash = hex::encode(digest::digest(&digest::SHA256, request.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");

    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [day, region, service, terminator] {
        key = mac(&key, part);
    }
    let expected = hex::encode(mac(&key, &to_sign));
    if expected == signature {
        Ok(())
    } else {
        Err(format!("signed {signature}, not {expected}, for\n{request}"))
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

/// The worked example of the Amazon S3 documentation: the computation above is right.
#[test]
fn the_documented_example_verifies() {
    let url: Url = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        .parse()
        .unwrap();
    verify("GET", &url, &[], "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").unwrap();
    assert!(verify("PUT", &url, &[], "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").is_err());
}
