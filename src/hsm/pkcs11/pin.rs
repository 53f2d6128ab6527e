//! PINs: read late, kept in memory that is wiped, dropped as soon as the login is done.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use cryptoki::types::RawAuthPin;
use zeroize::Zeroizing;

use super::uri::PinSource;
use crate::hsm::Error;

/// Longest PIN file in bytes. Luna's PINs have at most 255.
const MAX_PIN_FILE: usize = 1024;

pub(super) fn read(source: &PinSource) -> Result<RawAuthPin, Error> {
    let wiped = |pin: &[u8]| RawAuthPin::new(Box::new(pin.to_vec()));
    match source {
        PinSource::Value(value) => Ok(wiped(value)),
        PinSource::File(path) => match read_line(path) {
            Ok(line) => Ok(wiped(&line)),
            Err(reason) => Err(Error::PinFile {
                path: path.clone(),
                reason,
            }),
        },
    }
}

/// The file's only line, without its end.
fn read_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // All the room that reading may take, since growing would leave a copy behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_PIN_FILE + 64));
    file.take(MAX_PIN_FILE as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|error| error.to_string())?;
    if content.len() > MAX_PIN_FILE {
        return Err(format!("it is longer than {MAX_PIN_FILE} bytes"));
    }
    for end in *b"\n\r" {
        if content.last() == Some(&end) {
            content.pop();
        }
    }
    match content.contains(&b'\n') {
        _ if content.is_empty() => Err("it is empty".into()),
        true => Err("it has more than one line".into()),
        false => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &[u8]) -> Result<Vec<u8>, String> {
        let path = std::env::temp_dir().join(format!("shangmi-pin-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let line = read_line(&path);
        std::fs::remove_file(&path).unwrap();
        line.map(|line| line.to_vec())
    }

    #[test]
    fn one_line_and_nothing_else() {
        assert_eq!(read_text("bare", b"1234").unwrap(), b"1234");
        assert_eq!(read_text("unix", b"12 34\n").unwrap(), b"12 34");
        assert_eq!(read_text("windows", b"1234\r\n").unwrap(), b"1234");
        assert_eq!(read_text("longest", &[b'1'; 1024]).unwrap().len(), 1024);
        assert_eq!(read_text("empty", b"\n").unwrap_err(), "it is empty");
        assert_eq!(
            read_text("two", b"1234\n5678\n").unwrap_err(),
            "it has more than one line"
        );
        assert_eq!(
            read_text("long", &[b'1'; 1025]).unwrap_err(),
            "it is longer than 1024 bytes"
        );
        assert!(read_line(Path::new("/nonexistent/pin")).is_err());
    }
}
