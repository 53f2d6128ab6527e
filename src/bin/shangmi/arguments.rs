//! Arguments that name a module, a token and a key.

use std::path::PathBuf;

use clap::Args;
use shangmi::hsm::pkcs11::{Options, PinSource, Uri};
use shangmi::secret::SecretBytes;
use zeroize::Zeroizing;

use super::{Failure, complain};

/// Which token, and how to log in.
#[derive(Args)]
pub(crate) struct TokenArguments {
    /// A PKCS#11 URI (RFC 7512) in place of the arguments below.
    #[arg(long, conflicts_with_all = ["module", "token", "serial"])]
    uri: Option<String>,
    /// The PKCS#11 module's file.
    #[arg(long, required_unless_present = "uri")]
    module: Option<PathBuf>,
    /// The token's label.
    #[arg(long)]
    token: Option<String>,
    /// The token's serial number.
    #[arg(long)]
    serial: Option<String>,
    /// Where the PIN is: file:/path, env:NAME, "|/path/program argument", or prompt.
    #[arg(long, value_name = "SOURCE")]
    pin_source: Option<String>,
    /// Who logs in: user (Luna: Crypto Officer), crypto-user, or a number such as 0x80000003.
    #[arg(long)]
    user: Option<String>,
    /// The vendor's numbers, if they are not detected: luna, sansec, tass, ibm-ep11.
    #[arg(long)]
    profile: Option<String>,
    /// How long to wait for the module, in seconds.
    #[arg(long, default_value_t = 300)]
    pub(crate) timeout: u64,
}

/// Which key of the token.
#[derive(Args)]
pub(crate) struct KeyArguments {
    /// The key's label.
    #[arg(long)]
    pub(crate) object: Option<String>,
    /// The key's identifier, in hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub(crate) id: Option<Hex>,
}

/// Bytes as hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl std::str::FromStr for Hex {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("hexadecimal digits are needed, such as 01ab");
        }
        let byte = |pair: &[u8]| match pair {
            [_, _] => u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok(),
            _ => None,
        };
        let bytes: Option<_> = digits.chunks(2).map(byte).collect();
        bytes.map(Self).ok_or("an even number of digits is needed")
    }
}

impl TokenArguments {
    /// The URI of the token and of a key, and the options to open it.
    pub(crate) fn open(&self, key: Option<&KeyArguments>) -> Result<(Uri, Options), Failure> {
        let mut options = Options::default();
        let mut path = Vec::new();
        let mut query = Vec::new();
        let add = |to: &mut Vec<String>, name: &str, value: Option<&str>| {
            to.extend(value.map(|value| format!("{name}={}", encoded(value.as_bytes()))));
        };
        add(&mut path, "token", self.token.as_deref());
        add(&mut path, "serial", self.serial.as_deref());
        if let Some(key) = key {
            add(&mut path, "object", key.object.as_deref());
            let id = key.id.as_ref();
            path.extend(id.map(|id| format!("id={}", encoded(&id.0))));
        }
        if let Some(module) = &self.module {
            let module = std::path::absolute(module)?;
            let module = module
                .to_str()
                .ok_or_else(|| Failure::Usage("the module's path is not UTF-8".into()))?;
            add(&mut query, "module-path", Some(module));
        }
        match self.pin_source.as_deref() {
            Some("prompt") => options = options.pin(ask_pin()?),
            source => add(&mut query, "pin-source", source),
        }
        add(&mut query, "x-user", self.user.as_deref());
        add(&mut query, "x-profile", self.profile.as_deref());

        let uri = self.joined(&path, &query);
        let uri: Uri = uri
            .parse()
            .map_err(|error| Failure::Usage(format!("{error}")))?;
        if matches!(uri.pin(), Some(PinSource::Value(_))) {
            complain("others can see a PIN on the command line: use --pin-source, and change it");
        }
        Ok((uri, options))
    }

    /// What was given one by one, added to what was given as a URI.
    fn joined(&self, path: &[String], query: &[String]) -> Zeroizing<String> {
        let given = self.uri.as_deref().unwrap_or("pkcs11:");
        let (given_path, given_query) = given.split_once('?').unwrap_or((given, ""));
        let mut uri = Zeroizing::new(String::with_capacity(given.len() + 4096));
        uri.push_str(given_path);
        for attribute in path {
            if !uri.ends_with(':') {
                uri.push(';');
            }
            uri.push_str(attribute);
        }
        uri.push('?');
        uri.push_str(given_query);
        for attribute in query {
            if !uri.ends_with('?') {
                uri.push('&');
            }
            uri.push_str(attribute);
        }
        if uri.ends_with('?') {
            uri.pop();
        }
        uri
    }
}

/// Percent-encoded, but for what stands for itself in both parts of a URI (RFC 7512, 2.3).
fn encoded(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    let encode = |byte: &u8| match plain(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    bytes.iter().map(encode).collect()
}

/// Asks at the terminal, without echo.
fn ask_pin() -> Result<PinSource, Failure> {
    let pin = Zeroizing::new(rpassword::prompt_password("PIN: ")?);
    Ok(PinSource::Value(SecretBytes::copy_of(pin.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded() {
        assert_eq!(encoded("a b;c/ü".as_bytes()), "a%20b%3Bc%2F%C3%BC");
        assert_eq!(encoded(b"env:NAME"), "env:NAME");
    }

    #[test]
    fn identifiers_are_read() {
        let read = |text: &str| text.parse::<Hex>().map(|hex| hex.0);
        assert_eq!(read("01aB"), Ok(vec![1, 0xab]));
        for bad in ["", "1", "0g", "+1", "012"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
