//! The standing orders of a token, and what follows from them for a call.

use crate::behaviour::{Effect, Encoding, Expiry, Fault, Standing};
use crate::rule::Rule;
use cryptoki_sys::CK_RV;
use std::time::Duration;

/// Sessions that a token allows at a time, and wrong PINs in a row until it locks, as on a Luna
/// partition; both without an order.
const MAX_SESSIONS: usize = 64;
const PIN_TRIES: u32 = 10;

/// Functions of the module as a whole, which `*` spares: other tokens would feel it.
const LIBRARY: [&str; 4] = ["C_Initialize", "C_Finalize", "C_GetInfo", "C_GetSlotList"];

/// What a token does differently as long as it is not told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    calls: Vec<(Option<&'static str>, Rule<Effect>)>,
    encodings: Vec<Rule<Encoding>>,
    signatures: Vec<Rule<Fault>>,
    pub(crate) without_signatures: bool,
    pub(crate) sign_fails: bool,
    pub(crate) info_fails: bool,
    pub(crate) cut_point: bool,
    pub(crate) stuck_random: bool,
    pub(crate) unprotected: bool,
    /// `None` is without a limit.
    pub(crate) session_limit: Option<usize>,
    pub(crate) login_expires: Option<Expiry>,
    pub(crate) protected_path: bool,
    pub(crate) pin_tries: u32,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            calls: Vec::new(),
            encodings: Vec::new(),
            signatures: Vec::new(),
            without_signatures: false,
            sign_fails: false,
            info_fails: false,
            cut_point: false,
            stuck_random: false,
            unprotected: false,
            session_limit: Some(MAX_SESSIONS),
            login_expires: None,
            protected_path: false,
            pin_tries: PIN_TRIES,
        }
    }
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) panic: bool,
    /// How long the call waits: a time, or until it is released.
    pub(crate) wait: Option<Wait>,
    pub(crate) fail: Option<CK_RV>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    For(Duration),
    UntilReleased,
}

impl Faults {
    pub(crate) fn obey(&mut self, order: Standing) {
        match order {
            Standing::Call(function, when, effect) => {
                self.calls.push((function, Rule::new(when, effect)));
            }
            Standing::Encoding(when, encoding) => self.encodings.push(Rule::new(when, encoding)),
            Standing::Signature(when, fault) => self.signatures.push(Rule::new(when, fault)),
            Standing::WithoutSignatures => self.without_signatures = true,
            Standing::SignFails => self.sign_fails = true,
            Standing::InfoFails => self.info_fails = true,
            Standing::CutPoint => self.cut_point = true,
            Standing::StuckRandom => self.stuck_random = true,
            Standing::Unprotected => self.unprotected = true,
            Standing::SessionLimit(limit) => self.session_limit = limit,
            Standing::LoginExpires(expiry) => self.login_expires = Some(expiry),
            Standing::ProtectedPath => self.protected_path = true,
            Standing::PinTries(tries) => self.pin_tries = tries,
        }
    }

    /// Counts a call and tells what happens at it. Of several codes, the first ordered counts; of
    /// several waits, the longest.
    pub(crate) fn meet(&mut self, function: &'static str) -> Verdict {
        let mut verdict = Verdict::default();
        for (wanted, rule) in &mut self.calls {
            let ours = match wanted {
                Some(wanted) => *wanted == function,
                None => !LIBRARY.contains(&function),
            };
            if !ours {
                continue;
            }
            match rule.meet() {
                None => {}
                Some(Effect::Fail(code)) => _ = verdict.fail.get_or_insert(code),
                Some(Effect::Panic) => verdict.panic = true,
                Some(Effect::Latency(time) | Effect::Hang(Some(time))) => {
                    verdict.wait_for(Wait::For(time));
                }
                Some(Effect::Hang(None)) => verdict.wait_for(Wait::UntilReleased),
            }
        }
        verdict
    }

    /// How the next signature is written, if not as usual.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        self.encodings.iter().rev().find_map(Rule::ahead)
    }

    /// Counts a signature, and tells what is wrong with it.
    pub(crate) fn meet_signature(&mut self) -> Option<Fault> {
        for rule in &mut self.encodings {
            rule.meet();
        }
        let faults = self.signatures.iter_mut().filter_map(Rule::meet);
        faults.fold(None, |_, fault| Some(fault))
    }
}

impl Verdict {
    pub(crate) fn wait_for(&mut self, wait: Wait) {
        self.wait = self.wait.max(Some(wait));
    }

    /// Both, as when several tokens have orders for a call to the module.
    pub(crate) fn and(&mut self, other: Self) {
        self.panic |= other.panic;
        self.wait = self.wait.max(other.wait);
        self.fail = self.fail.or(other.fail);
    }
}
