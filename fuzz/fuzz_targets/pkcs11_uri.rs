//! PKCS#11 URIs: what is accepted can be written with every byte escaped and means the same, and
//! neither `Debug` nor an error depends on the PIN.
#![no_main]

use std::fmt::Write;

use libfuzzer_sys::fuzz_target;
use shangmi::hsm::pkcs11::{MAX_URI_LEN, ObjectType, PinSource, Uri, UriError, User};
use shangmi_fuzz as _;

fuzz_target!(|text: &str| {
    let parsed = text.parse::<Uri>();
    assert_eq!(shown(&parsed), shown(&with_another_pin(text).parse()));

    let Ok(uri) = parsed else {
        return;
    };
    let written = written(&uri);
    if written.len() <= MAX_URI_LEN {
        let again: Uri = written.parse().expect("an escaped URI");
        assert_eq!(attributes(&again), attributes(&uri));
    }
});

fn shown(parsed: &Result<Uri, UriError>) -> String {
    match parsed {
        Ok(uri) => format!("{uri:?}"),
        Err(error) => format!("{error:?} {error}"),
    }
}

/// The same URI with other letters and digits in its PIN; escapes stay as they are.
fn with_another_pin(text: &str) -> String {
    let Some((path, query)) = text.split_once('?') else {
        return text.to_owned();
    };
    let attributes = query
        .split('&')
        .map(|attribute| match attribute.strip_prefix("pin-value=") {
            Some(pin) => format!("pin-value={}", other(pin)),
            None => attribute.to_owned(),
        });
    format!("{path}?{}", attributes.collect::<Vec<_>>().join("&"))
}

fn other(pin: &str) -> String {
    let mut escape = 0;
    let mut change = |c: char| {
        if c == '%' {
            escape = 3;
        }
        let escaped = escape > 0;
        escape = escape.max(1) - 1;
        match c {
            'Q' if !escaped => 'R',
            c if !escaped && c.is_ascii_alphanumeric() => 'Q',
            c => c,
        }
    };
    pin.chars().map(&mut change).collect()
}

/// Every attribute with its value in bytes.
fn attributes(uri: &Uri) -> Vec<(&'static str, Vec<u8>)> {
    let text = |value: Option<&str>| value.map(|value| value.as_bytes().to_vec());
    let path = |value: &std::path::Path| value.as_os_str().as_encoded_bytes().to_vec();
    let kind = uri.object_type().map(|kind| match kind {
        ObjectType::Certificate => "cert",
        ObjectType::Data => "data",
        ObjectType::PrivateKey => "private",
        ObjectType::PublicKey => "public",
        ObjectType::SecretKey => "secret-key",
        _ => unreachable!("RFC 7512 has five types"),
    });
    let version = uri
        .library_version()
        .map(|version| format!("{}.{}", version.major, version.minor).into_bytes());
    let (source, value) = match uri.pin() {
        None => (None, None),
        Some(PinSource::File(file)) => (Some(path(file)), None),
        Some(PinSource::Value(pin)) => (None, Some(pin.to_vec())),
        Some(PinSource::Environment(name)) => (Some(format!("env:{name}").into_bytes()), None),
        Some(PinSource::Command { program, arguments }) => {
            let mut command = [b"|", &path(program)[..]].concat();
            for argument in arguments {
                command.push(b' ');
                command.extend_from_slice(argument.as_encoded_bytes());
            }
            (Some(command), None)
        }
        other => unreachable!("no URI has {other:?}"),
    };
    let user = uri.user().map(|user| match user {
        User::User => "user".into(),
        User::CryptoUser => "crypto-user".into(),
        User::Vendor(number) => format!("{number:#x}"),
        other => unreachable!("no URI has {other:?}"),
    });
    [
        ("token", text(uri.token())),
        ("serial", text(uri.serial())),
        ("manufacturer", text(uri.manufacturer())),
        ("model", text(uri.model())),
        ("object", text(uri.object())),
        ("id", uri.id().map(<[u8]>::to_vec)),
        ("library-manufacturer", text(uri.library_manufacturer())),
        ("library-description", text(uri.library_description())),
        ("library-version", version),
        ("type", text(kind)),
        ("module-path", uri.module_path().map(path)),
        ("module-name", text(uri.module_name())),
        ("pin-source", source),
        ("pin-value", value),
        (
            "x-profile",
            text(uri.profile().map(|profile| profile.name())),
        ),
        ("x-user", text(user.as_deref())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// The URI with every byte of every value escaped.
fn written(uri: &Uri) -> String {
    const IN_QUERY: [&str; 6] = [
        "module-path",
        "module-name",
        "pin-source",
        "pin-value",
        "x-profile",
        "x-user",
    ];
    let attributes = attributes(uri);
    let part = |query: bool| {
        let mut parts = Vec::new();
        for (name, value) in attributes
            .iter()
            .filter(|(name, _)| IN_QUERY.contains(name) == query)
        {
            let mut part = format!("{name}=");
            value
                .iter()
                .for_each(|byte| write!(part, "%{byte:02X}").unwrap());
            parts.push(part);
        }
        parts.join(if query { "&" } else { ";" })
    };
    format!("pkcs11:{}?{}", part(false), part(true))
}
