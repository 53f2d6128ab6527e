//! The integrity of the program: whether the file that this code was loaded from is, byte for byte,
//! the one that was sealed.
//!
//! The seal is in the file: 16 bytes that mark the place, and 32 for HMAC-SM3 over the whole file with
//! zeros in place of these 32. The key is known to everybody, for there is no place in a program to
//! hide one: the test finds what changed by accident, not what somebody changed and sealed again.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::self_test::{self, PRE_OPERATIONAL};
use super::{DIGEST_LEN, HmacSm3};
use crate::gate::{Algorithm, Answer, Answers, SelfTest};

pub(crate) static INTEGRITY: SelfTest = SelfTest::new(
    Algorithm::Integrity,
    &PRE_OPERATIONAL,
    self_test::kernel,
    test,
);

/// What is known of the file that the module was loaded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Integrity {
    /// Nothing yet: its test has not run.
    NotTested,
    /// Nothing: it was never sealed, with `shangmi module seal` or [`seal`](fn@crate::module::seal).
    NotSealed,
    /// Nothing: it is sealed, but cannot be opened, for want of /proc or of rights.
    Unreadable,
    /// It is not the file that was sealed.
    Broken,
    /// It is the file that was sealed.
    Intact,
}

/// A marker by which the seal is found in the file, and the tag. Zeros for the tag mean that there is
/// no seal.
#[used]
static SEAL: [u8; SEAL_LEN] = {
    let mut seal = [0; SEAL_LEN];
    let (marker, _) = seal.split_at_mut(MARKER_LEN);
    marker.copy_from_slice(&0xf45f_e168_f21e_15e1_e874_7766_413f_692e_u128.to_be_bytes());
    seal
};

const MARKER_LEN: usize = 16;
pub(crate) const SEAL_LEN: usize = MARKER_LEN + DIGEST_LEN;

const KEY: &[u8; 32] = b"shangmi, integrity of the module";

/// How much of the file is in memory at once, in bytes.
const CHUNK: usize = 64 << 10;

static REQUIRED: AtomicBool = AtomicBool::new(false);
static FOUND: AtomicU8 = AtomicU8::new(Integrity::NotTested as u8);

/// Makes the test fail where it finds no seal.
pub(crate) fn require() {
    REQUIRED.store(true, Ordering::Relaxed);
}

/// What the last test found.
pub(crate) fn found() -> Integrity {
    let found = FOUND.load(Ordering::Relaxed);
    [
        Integrity::NotSealed,
        Integrity::Unreadable,
        Integrity::Broken,
        Integrity::Intact,
    ]
    .into_iter()
    .find(|integrity| *integrity as u8 == found)
    .unwrap_or(Integrity::NotTested)
}

/// Compares the file with the seal that was loaded from it.
fn test(answers: &mut Answers) -> Answer {
    let note = |found: Integrity| FOUND.store(found as u8, Ordering::Relaxed);
    let required = REQUIRED.load(Ordering::Relaxed);
    let (_, sealed) = seal();
    if *sealed == [0; DIGEST_LEN] {
        note(Integrity::NotSealed);
        return answers.that("seal", !required);
    }
    let file = loaded_from();
    note(Integrity::Unreadable);
    answers.that("readable file", file.is_ok() || !required)?;
    let Ok(mut file) = file else { return Ok(()) };
    note(Integrity::Broken);
    let places = places(&mut file).unwrap_or_default();
    answers.that("one marker", places.len() == 1)?;
    let at = places.first().copied().unwrap_or_default();
    let tag = tag(&mut file, at).unwrap_or_default();
    answers.equal("tag", &tag, sealed)?;
    note(Integrity::Intact);
    Ok(())
}

/// The marker and the tag as they were loaded. The compiler is not to know them, or it would write
/// the marker to a second place.
fn seal() -> (&'static [u8; MARKER_LEN], &'static [u8; DIGEST_LEN]) {
    const { assert!(SEAL_LEN == MARKER_LEN + DIGEST_LEN) };
    let seal: &'static [u8; SEAL_LEN] = black_box(&SEAL);
    match (seal.first_chunk(), seal.last_chunk()) {
        (Some(marker), Some(tag)) => (marker, tag),
        _ => unreachable!("their lengths add up"),
    }
}

/// Where markers begin in `file`.
pub(crate) fn places(file: &mut (impl Read + Seek)) -> io::Result<Vec<u64>> {
    let (marker, _) = seal();
    let mut found = Vec::new();
    let mut window = Vec::with_capacity(CHUNK + MARKER_LEN);
    let mut start = 0;
    file.rewind()?;
    while file.take(CHUNK as u64).read_to_end(&mut window)? > 0 {
        let here = |bytes: &[u8]| bytes[0] == marker[0] && bytes == marker;
        let windows = window.windows(MARKER_LEN).zip(start..);
        found.extend(windows.filter_map(|(bytes, at)| here(bytes).then_some(at)));
        // A marker may go on in what is read next.
        let past = window.len().saturating_sub(MARKER_LEN - 1);
        window.drain(..past);
        start += past as u64;
    }
    Ok(found)
}

/// HMAC-SM3 over `file` with zeros for the tag behind the marker at `at`.
pub(crate) fn tag(file: &mut (impl Read + Seek), at: u64) -> io::Result<[u8; DIGEST_LEN]> {
    let mut mac = HmacSm3::under(KEY);
    file.rewind()?;
    let before = at + MARKER_LEN as u64;
    absorb(&mut mac, &mut file.take(before))?;
    mac.absorb(&[0; DIGEST_LEN]);
    file.seek(SeekFrom::Start(before + DIGEST_LEN as u64))?;
    absorb(&mut mac, file)?;
    Ok(*mac.tag_of([].into_iter()).as_bytes())
}

fn absorb(mac: &mut HmacSm3, file: &mut impl Read) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    while file.take(CHUNK as u64).read_to_end(&mut chunk)? > 0 {
        mac.absorb(&chunk);
        chunk.clear();
    }
    Ok(())
}

/// Opens the file that this code was loaded from: the program, or a shared library with the module in
/// it. `/proc/self/exe` is the program itself even when another one has taken its name meanwhile, as
/// in an upgrade.
#[cfg(target_os = "linux")]
fn loaded_from() -> io::Result<File> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    const PROGRAM: &str = "/proc/self/exe";

    let maps = std::fs::read("/proc/self/maps")?;
    let path = mapped_at(&maps, black_box(&SEAL).as_ptr().addr());
    let path = Path::new(OsStr::from_bytes(path.ok_or(io::ErrorKind::NotFound)?));
    match path == std::fs::read_link(PROGRAM)? {
        true => File::open(PROGRAM),
        false => File::open(path),
    }
}

/// The path of the file mapped at `address`: the sixth field of its line (proc_pid_maps(5)).
#[cfg(target_os = "linux")]
fn mapped_at(maps: &[u8], address: usize) -> Option<&[u8]> {
    let holds = |line: &&[u8]| {
        let range = line.split(|byte| *byte == b' ').next();
        let range = range.and_then(|range| str::from_utf8(range).ok()?.split_once('-'));
        range.is_some_and(|(start, end)| {
            let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16));
            matches!((start, end), (Ok(start), Ok(end)) if (start..end).contains(&address))
        })
    };
    let line = maps.split(|byte| *byte == b'\n').find(holds)?;
    let path = line.iter().position(|byte| *byte == b'/')?;
    Some(&line[path..])
}

/// Opens the program's file. A shared library with the module in it has another one, in which no
/// marker is found.
#[cfg(not(target_os = "linux"))]
fn loaded_from() -> io::Result<File> {
    File::open(std::env::current_exe()?)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// With the marker at each of `places`.
    fn file(len: usize, places: &[usize]) -> Cursor<Vec<u8>> {
        let mut bytes: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8).collect();
        for at in places {
            bytes[*at..at + MARKER_LEN].copy_from_slice(seal().0);
        }
        Cursor::new(bytes)
    }

    #[test]
    fn markers_are_found_wherever_they_lie() {
        for at in (0..64).chain(CHUNK - 64..CHUNK + 64) {
            let mut file = file(2 * CHUNK, &[at]);
            assert_eq!(places(&mut file).unwrap(), [at as u64]);
        }
        assert_eq!(places(&mut file(2 * CHUNK, &[])).unwrap(), [0; 0]);
        let two = [CHUNK - 8, CHUNK + 8];
        let found = places(&mut file(2 * CHUNK, &two)).unwrap();
        assert_eq!(found, two.map(|at| at as u64));
        assert_eq!(places(&mut Cursor::new([0; 3])).unwrap(), [0; 0]);
    }

    /// By an HMAC-SM3 that others wrote.
    #[test]
    fn the_tag_is_hmac_over_all_but_itself() {
        use ::hmac::{KeyInit, Mac};
        for (len, at) in [(SEAL_LEN, 0), (3 * CHUNK + 5, 2 * CHUNK - 7)] {
            let mut file = file(len, &[at]);
            let found = tag(&mut file, at as u64).unwrap();
            let mut bytes = file.into_inner();
            bytes[at + MARKER_LEN..at + SEAL_LEN].fill(0);
            let mac = <::hmac::Hmac<::sm3::Sm3> as KeyInit>::new_from_slice(KEY).unwrap();
            let expected = mac.chain_update(&bytes).finalize().into_bytes();
            assert_eq!(found[..], expected[..]);
        }
    }

    /// Each of the marker's uses goes through the one static.
    #[test]
    fn this_program_has_one_marker() {
        let mut program = loaded_from().unwrap();
        assert_eq!(places(&mut program).unwrap().len(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_file_behind_an_address_is_found() {
        let maps = b"5500-5600 r--p 00000000 fe:01 42   /opt/a program\n\
            7f00-7f80 r-xp 00001000 fe:01 43  /usr/lib/module.so (deleted)\n\
            8000-9000 rw-p 00000000 00:00 0\n\
            ffff-ffffffff r-xp 00000000 00:00 0 [vdso]";
        assert_eq!(mapped_at(maps, 0x5500).unwrap(), b"/opt/a program");
        assert_eq!(mapped_at(maps, 0x55ff).unwrap(), b"/opt/a program");
        assert_eq!(
            mapped_at(maps, 0x7f01).unwrap(),
            b"/usr/lib/module.so (deleted)"
        );
        for none in [0, 0x5600, 0x8001, 0xffff] {
            assert_eq!(mapped_at(maps, none), None, "{none:x}");
        }
    }
}
