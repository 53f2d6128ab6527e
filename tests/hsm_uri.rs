//! PKCS#11 URIs: what RFC 7512 allows, and what comes from careless or hostile hands.
#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use shangmi::hsm::pkcs11::{
    LibraryVersion, MAX_URI_LEN, ObjectType, PinSource, Profile, Uri, UriError, User,
};

fn parse(uri: &str) -> Uri {
    uri.parse().unwrap_or_else(|error| panic!("{uri}: {error}"))
}

fn refused(uri: &str) -> UriError {
    uri.parse::<Uri>().map(|uri| panic!("{uri:?}")).unwrap_err()
}

fn named(attribute: &str) -> String {
    attribute.into()
}

#[test]
fn every_attribute() {
    let uri = parse(
        "pkcs11:token=The%20bank%27s%20token;serial=0123456789abcdef;manufacturer=SafeNet;model=LunaSA;\
         object=server;id=%04%ff%00;type=private?module-path=/usr/lib/libCryptoki2_64.so&module-name=luna&\
         pin-source=file:/run/secrets/pin",
    );
    assert_eq!(uri.token(), Some("The bank's token"));
    assert_eq!(uri.serial(), Some("0123456789abcdef"));
    assert_eq!(uri.manufacturer(), Some("SafeNet"));
    assert_eq!(uri.model(), Some("LunaSA"));
    assert_eq!(uri.object(), Some("server"));
    assert_eq!(uri.id(), Some(&[4, 0xff, 0][..]));
    assert_eq!(uri.object_type(), Some(ObjectType::PrivateKey));
    assert_eq!(
        uri.module_path(),
        Some(Path::new("/usr/lib/libCryptoki2_64.so"))
    );
    assert_eq!(uri.module_name(), Some("luna"));
    assert!(
        matches!(uri.pin(), Some(PinSource::File(path)) if path == Path::new("/run/secrets/pin"))
    );
}

#[test]
fn library_attributes() {
    let uri = parse(
        "pkcs11:library-manufacturer=SafeNet;library-description=Soft%20Token;library-version=3",
    );
    assert_eq!(uri.library_manufacturer(), Some("SafeNet"));
    assert_eq!(uri.library_description(), Some("Soft Token"));
    let version = |uri: &Uri| uri.library_version();
    let is = |major, minor| Some(LibraryVersion { major, minor });
    assert_eq!(version(&uri), is(3, 0));
    assert_eq!(version(&parse("pkcs11:library-version=1.23")), is(1, 23));
    for value in [
        "", ".", "1.", ".1", "1.2.3", "+1", "1.-2", "256", "1.256", "v1", " 1",
    ] {
        let value = value.replace(' ', "%20");
        let error = refused(&format!("pkcs11:library-version={value}"));
        let attribute = named("library-version");
        assert_eq!(error, UriError::InvalidValue { attribute }, "{value}");
    }
    for attribute in [
        "library-manufacturer",
        "library-description",
        "library-version",
    ] {
        let error = refused(&format!("pkcs11:{attribute}=1;{attribute}=1"));
        let attribute = named(attribute);
        assert_eq!(error, UriError::Duplicate { attribute });
    }
}

#[test]
fn nothing_is_a_uri_too() {
    for uri in ["pkcs11:", "PKCS11:", "pkcs11:?"] {
        let uri = parse(uri);
        assert!(uri.token().is_none() && uri.module_path().is_none() && uri.pin().is_none());
    }
    // What RFC 7512 has ignored, in the query alone.
    assert_eq!(parse("pkcs11:token=t?x-vendor=1").token(), Some("t"));
}

#[test]
fn text_is_percent_decoded_once() {
    assert_eq!(
        parse("pkcs11:object=%E5%9B%BD%E5%AF%86").object(),
        Some("国密")
    );
    assert_eq!(parse("pkcs11:object=100%2525").object(), Some("100%25"));
    assert_eq!(parse("pkcs11:object=a%3bb%26c").object(), Some("a;b&c"));
    assert_eq!(parse("pkcs11:object=a&b=c").object(), Some("a&b=c"));
    assert_eq!(parse("pkcs11:object=").object(), Some(""));
}

#[test]
fn pin_files() {
    for source in ["file:/pin", "file:///pin", "/pin"] {
        let uri = parse(&format!("pkcs11:?pin-source={source}"));
        assert!(
            matches!(uri.pin(), Some(PinSource::File(path)) if path == Path::new("/pin")),
            "{source}"
        );
    }
    for source in [
        "pin",
        "file:pin",
        "file:",
        "",
        "file://host/pin",
        "|",
        "|pin",
        "|%20",
        "|./pin%20/x",
    ] {
        let error = refused(&format!("pkcs11:?pin-source={source}"));
        assert_eq!(
            error,
            UriError::RelativePath {
                attribute: named("pin-source")
            },
            "{source}"
        );
    }
}

#[test]
fn pin_commands() {
    for (source, path, words) in [
        ("|/bin/pin", "/bin/pin", &[][..]),
        ("|/bin/pin%20-x%20%20a%2Fb", "/bin/pin", &["-x", "a/b"]),
        ("%7C/bin/pin%20%7C%20$HOME", "/bin/pin", &["|", "$HOME"]),
        ("|%20/bin/pin%20", "/bin/pin", &[]),
    ] {
        let uri = parse(&format!("pkcs11:?pin-source={source}"));
        let Some(PinSource::Command { program, arguments }) = uri.pin() else {
            panic!("{uri:?}")
        };
        assert_eq!(program, Path::new(path), "{source}");
        assert_eq!(arguments, words, "{source}");
        // An argument may lead to the PIN.
        assert!(!format!("{uri:?}").contains("HOME"));
    }
}

#[test]
fn pins_in_the_environment() {
    let uri = parse("pkcs11:?pin-source=env:BANK_PIN");
    assert!(matches!(uri.pin(), Some(PinSource::Environment(name)) if name == "BANK_PIN"));
    for name in ["", "A=B", "%3D"] {
        let error = refused(&format!("pkcs11:?pin-source=env:{name}"));
        let attribute = named("pin-source");
        assert_eq!(error, UriError::InvalidValue { attribute }, "{name}");
    }
}

#[test]
fn profiles_and_users() {
    for (name, profile) in [
        ("luna", Profile::LUNA),
        ("sansec", Profile::SANSEC),
        ("tass", Profile::TASS),
        ("ibm-ep11", Profile::IBM_EP11),
    ] {
        let uri = parse(&format!("pkcs11:token=t?x-profile={name}"));
        assert_eq!(uri.profile(), Some(profile));
    }
    for name in ["", "Luna", "softhsm", "hunter2"] {
        let error = refused(&format!("pkcs11:?x-profile={name}"));
        assert_eq!(error, UriError::UnknownProfile);
        assert_eq!(
            error.to_string(),
            "PKCS#11 URI: `x-profile` is none of luna, sansec, tass, ibm-ep11"
        );
    }
    for (name, user) in [
        ("user", User::User),
        ("crypto-user", User::CryptoUser),
        ("0x80000003", User::Vendor(0x8000_0003)),
        ("0xffffffff", User::Vendor(u32::MAX)),
    ] {
        let uri = parse(&format!("pkcs11:?x-user={name}"));
        assert_eq!(uri.user(), Some(user));
    }
    for name in ["", "so", "User", "0x", "0x100000000", "0x-1", "0x+1", "1"] {
        let error = refused(&format!("pkcs11:?x-user={name}"));
        let attribute = named("x-user");
        assert_eq!(error, UriError::InvalidValue { attribute }, "{name}");
    }
    let nothing = parse("pkcs11:?x-profiles=luna");
    assert_eq!((nothing.profile(), nothing.user()), (None, None));
}

#[test]
fn pin_is_kept_but_never_shown() {
    let uri = parse("pkcs11:token=t?pin-value=p%26n%20%ff");
    assert!(matches!(uri.pin(), Some(PinSource::Value(pin)) if pin.as_bytes() == b"p&n \xff"));
    let shown = format!("{uri:?} {uri:#?}");
    assert!(
        !shown.contains("p&n") && !shown.contains("p%26n"),
        "{shown}"
    );
    // In decimal, as a careless Debug of bytes would have it.
    assert!(!shown.contains("112"), "{shown}");
    assert_eq!(
        refused("pkcs11:?pin-value=1234&pin-source=/pin"),
        UriError::TwoPins
    );
}

#[test]
fn errors_show_no_piece_of_a_pin() {
    for uri in [
        "pkcs11:?pin-value=hunter 2",
        "pkcs11:?pin-value=a&hunter",
        "pkcs11:?pin-value=a&hunter=2",
        "pkcs11:?pin-value=a&hunter= ",
        "pkcs11:?pin-value=hunter#",
        "pkcs11:?pin-value=hunter%",
        "pkcs11:?pin-value=hunter;x=y",
        "pkcs11:?pin-value=hunter&pin-value=hunter",
        "pkcs11:?pin-value=hunter&pin-source=/x",
        "pkcs11:?pin-value=a&x-profile=hunter",
        "pkcs11:?pin-value=a&x-user=hunter",
        "pkcs11:?pin-value=a&x-profile=%hunter",
        "pkcs11:?hunter",
        "pkcs11:token=t?hunter?hunter",
        "pkcs11:hunter",
    ] {
        match uri.parse::<Uri>() {
            Ok(uri) => assert!(!format!("{uri:?}").contains("hunter"), "{uri:?}"),
            Err(error) => assert!(
                !format!("{error} {error:?}").contains("hunter"),
                "{uri}: {error}"
            ),
        }
    }
}

#[test]
fn duplicates_and_unknown_attributes() {
    for attribute in ["token", "serial", "manufacturer", "model", "object", "id"] {
        let error = refused(&format!("pkcs11:{attribute}=a;{attribute}=a"));
        assert_eq!(
            error,
            UriError::Duplicate {
                attribute: named(attribute)
            }
        );
    }
    for (attribute, value) in [
        ("module-path", "/a"),
        ("module-name", "a"),
        ("pin-source", "/a"),
        ("pin-value", "a"),
        ("x-profile", "luna"),
        ("x-user", "user"),
    ] {
        let error = refused(&format!("pkcs11:?{attribute}={value}&{attribute}={value}"));
        assert_eq!(
            error,
            UriError::Duplicate {
                attribute: named(attribute)
            }
        );
    }
    for attribute in [
        "tokens",
        "pin-value",
        "module-path",
        "library-vendor",
        "x-vendor",
        "x-profile",
    ] {
        let error = refused(&format!("pkcs11:{attribute}=a"));
        assert_eq!(
            error,
            UriError::UnknownAttribute {
                attribute: named(attribute)
            }
        );
    }
    for attribute in ["slot-id", "slot-description", "slot-manufacturer"] {
        let error = refused(&format!("pkcs11:{attribute}=1"));
        assert_eq!(
            error,
            UriError::Slot {
                attribute: named(attribute)
            }
        );
        assert!(
            error
                .to_string()
                .contains("name the token by token= or serial=")
        );
    }
}

#[test]
fn grammar() {
    for uri in [
        "",
        "token=t",
        "http://example",
        "pkcs11",
        "pkcs11 :token=t",
        " pkcs11:",
    ] {
        assert_eq!(refused(uri), UriError::NotPkcs11, "{uri}");
    }
    for (uri, number) in [
        ("pkcs11:token", 1),
        ("pkcs11:=t", 1),
        ("pkcs11:token=t;", 2),
        ("pkcs11:;token=t", 1),
        ("pkcs11:token=t;;object=o", 2),
        ("pkcs11:?a=b&&c=d", 2),
        ("pkcs11:to ken=t", 1),
        ("pkcs11:tok\u{e9}n=t", 1),
    ] {
        assert_eq!(refused(uri), UriError::Malformed { number }, "{uri}");
    }
    for (value, position) in [
        ("a b", 1),
        ("%", 0),
        ("a%4", 1),
        ("%4g", 0),
        ("%+1", 0),
        ("a/b", 1),
        ("a\u{e9}", 1),
        ("a\0", 1),
        ("a#b", 1),
        ("\"", 0),
        ("ab\n", 2),
    ] {
        let error = refused(&format!("pkcs11:object={value}"));
        assert_eq!(
            error,
            UriError::InvalidCharacter {
                attribute: named("object"),
                position
            },
            "{value}"
        );
    }
}

#[test]
fn values() {
    for (attribute, value) in [
        ("token", "%ff".into()),
        ("token", "a%00".into()),
        ("token", "a".repeat(33)),
        ("serial", "1".repeat(17)),
        ("model", "m".repeat(17)),
        ("manufacturer", "m".repeat(33)),
        ("library-manufacturer", "m".repeat(33)),
        ("library-description", "d".repeat(33)),
        ("object", "%c3%28".into()),
        ("type", "Private".into()),
        ("type", String::new()),
    ] {
        let error = refused(&format!("pkcs11:{attribute}={value}"));
        assert_eq!(
            error,
            UriError::InvalidValue {
                attribute: named(attribute)
            }
        );
    }
    for path in ["module.so", "./module.so", "", "../../m.so"] {
        let error = refused(&format!("pkcs11:?module-path={path}"));
        assert_eq!(
            error,
            UriError::RelativePath {
                attribute: named("module-path")
            }
        );
    }
}

#[test]
fn size_is_bounded() {
    let longest = format!("pkcs11:object={}", "a".repeat(MAX_URI_LEN - 14));
    assert_eq!(longest.len(), MAX_URI_LEN);
    parse(&longest);
    assert_eq!(refused(&format!("{longest}a")), UriError::TooLong);
}

/// No input panics: every prefix of a full URI, and each of its bytes replaced.
#[test]
fn mutations_never_panic() {
    let full = "pkcs11:token=a%20b;serial=1;id=%01%02;type=private?module-path=/m.so&pin-value=%31";
    let (mut good, mut bad) = (0, 0);
    let mut count = |uri: &str| match uri.parse::<Uri>() {
        Ok(_) => good += 1,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            bad += 1;
        }
    };
    for end in 0..full.len() {
        count(&full[..end]);
    }
    for at in 0..full.len() {
        for byte in (0..128).map(char::from).chain(['\u{80}', '密']) {
            count(&format!("{}{byte}{}", &full[..at], &full[at + 1..]));
        }
    }
    assert!(good > 100 && bad > 1000, "{good} good, {bad} bad");
}
