//! Orders of a test to its token, by method; [`Behaviour`](crate::Behaviour) has all of them in
//! words.
//!
//! Each of them fails with [`OrderError`] alone: the module cannot be loaded, or the order makes no
//! sense. They work in every state of the token and the module.

use crate::behaviour::{Encoding, Expiry, Fault};
use crate::provision::control;
use crate::{OrderError, Profile, Report, TestToken, When};
use std::time::Duration;

type Result<T = ()> = std::result::Result<T, OrderError>;

/// Makes the module another vendor's, for the whole process: its tokens, their mechanisms and what
/// `C_GetInfo` says.
///
/// # Errors
/// [`OrderError`] if the module cannot be loaded.
pub fn set_profile(profile: Profile) -> Result {
    control("", "add", &format!("profile={}", profile.name())).map(drop)
}

impl TestToken {
    /// Replaces all standing orders, in the words of [`Behaviour`](crate::Behaviour); an empty text
    /// is good behaviour.
    ///
    /// # Errors
    /// [`OrderError`] for an order that is unknown.
    pub fn behave(&self, orders: &str) -> Result {
        control(&self.serial, "set", orders).map(drop)
    }

    /// Gives orders beside those that stand, in the words of [`Behaviour`](crate::Behaviour).
    ///
    /// # Errors
    /// [`OrderError`] for an order that is unknown.
    pub fn order(&self, orders: &str) -> Result {
        control(&self.serial, "add", orders).map(drop)
    }

    /// What the token has counted.
    ///
    /// # Errors
    /// [`OrderError`] if the module cannot be loaded.
    pub fn report(&self) -> Result<Report> {
        let text = control(&self.serial, "report", "")?;
        Report::from_text(&text).ok_or(OrderError(text))
    }

    /// How often the token saw a function, such as `C_Sign`.
    ///
    /// # Errors
    /// [`OrderError`] if the module cannot be loaded.
    pub fn calls(&self, function: &str) -> Result<u64> {
        Ok(self.report()?.calls(function))
    }

    /// Wrong user PINs since the last right one.
    ///
    /// # Errors
    /// [`OrderError`] if the module cannot be loaded.
    pub fn wrong_pins(&self) -> Result<u64> {
        Ok(self.report()?.wrong_pins_in_a_row)
    }
}

macro_rules! orders {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $kind:ty),*) => $order:expr;)*) => {
        impl TestToken {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`OrderError`] if that makes no sense for this token.
                pub fn $name(&self, $($arg: $kind),*) -> Result {
                    self.order(&$order)
                }
            )*
        }
    };
}

orders! {
    /// Lets calls of a function (`*` for all) fail with a code, by name or number.
    fail(function: &str, when: When, code: &str) => format!("fail={function}:{when}:{code}");
    /// Lets every call of a function take that much longer.
    latency(function: &str, time: Duration) => format!("latency={function}:{}", text(time));
    /// Lets calls of a function hang, until [`TestToken::release`] or until the time is over.
    hang(function: &str, time: Duration, when: When) => format!("hang={function}:{}:{when}", text(time));
    /// Lets every call of a function hang until [`TestToken::release`].
    hang_until_released(function: &str) => format!("hang={function}");
    /// Lets calls that hang or wait go on at once. Later ones hang as before.
    release() => String::from("release");
    /// Lets calls of a function panic inside the module.
    panic(function: &str, when: When) => format!("panic={function}:{when}");
    /// Spoils signatures.
    spoil(fault: Fault, when: When) => format!("signature={}:{when}", fault_name(fault));
    /// Writes signatures in another way than the profile has it.
    answer(encoding: Encoding, when: When) => match encoding {
        Encoding::Raw => format!("answer=raw:{when}"),
        Encoding::Der => format!("answer=der:{when}"),
    };
    /// Lets the random generator give the same byte again and again.
    stick_random() => String::from("random=stuck");
    /// Sets how many sessions the token allows at a time; `None` is without a limit.
    limit_sessions(limit: Option<usize>) => match limit {
        Some(limit) => format!("session-limit={limit}"),
        None => String::from("session-limit=none"),
    };
    /// Ends all sessions: `CKR_SESSION_HANDLE_INVALID`.
    lose_sessions() => String::from("sessions=lost");
    /// Ends all sessions: `CKR_SESSION_CLOSED`.
    close_sessions() => String::from("sessions=closed");
    /// Ends the login, and no session.
    expire_login() => String::from("login=expired");
    /// Lets every login end after so many signatures, or so much time.
    limit_logins(expiry: Expiry) => match expiry {
        Expiry::Signatures(count) => format!("login-expires={count}"),
        Expiry::After(time) => format!("login-expires={}", text(time)),
    };
    /// Lets the user's PIN be expired until it is changed.
    expire_pin() => String::from("pin=expired");
    /// Adds Luna's crypto user, or gives it another PIN.
    set_crypto_user(pin: &str) => format!("crypto-user={pin}");
    /// Moves the token to a slot number that never was.
    renumber() => String::from("slot=new");
    /// Moves the token to a slot; a token there takes its old one.
    move_to(slot: u64) => format!("slot={slot}");
    /// Takes the token out, until [`TestToken::put_back`]. Sessions and login are gone.
    remove() => String::from("device=removed");
    /// Takes the token out for a time.
    remove_for(time: Duration) => format!("device=removed:{}", text(time));
    /// Puts the token back.
    put_back() => String::from("device=back");
    /// Makes the token an HA group of so many members. Its sessions end.
    make_group(members: usize) => format!("members={members}");
    /// Lets a member of the group (from 0) die with its sessions; calls that come in the time after
    /// it wait until the time is over.
    lose_member(member: usize, pause: Duration) => format!("member=lost:{member}:{}", text(pause));
    /// Lets a member live again. If all were lost, `C_Initialize` alone opens the group again.
    restore_member(member: usize) => format!("member=back:{member}");
    /// Calls `C_Finalize` behind the program's back.
    finalize_library() => String::from("library=finalized");
}

fn text(time: Duration) -> String {
    format!("{}us", time.as_micros())
}

fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Corrupt => "corrupt",
        Fault::Foreign => "foreign",
        Fault::Short => "short",
        Fault::Overlong => "overlong",
    }
}
