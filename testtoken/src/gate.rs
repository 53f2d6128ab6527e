//! The gate that every call passes: it counts the call and follows the orders for it.

use crate::Result;
use crate::faults::{Verdict, Wait};
use crate::module::{self, Module};
use crate::token::TokenId;
use cryptoki_sys::*;
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Instant;

/// Where calls wait, without the module's lock.
static WAITING: Condvar = Condvar::new();

/// What a call is about.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The module as a whole, and so every token in it.
    Library,
    Slot(CK_SLOT_ID),
    Session(CK_SESSION_HANDLE),
}

/// Lets a call in, or tells the code that it fails with. The module is locked from here on.
pub(crate) fn enter(function: &'static str, target: Target) -> Result<MutexGuard<'static, Module>> {
    let mut module = module::lock();
    let token = module.arrive(function, target)?;
    let verdict = module.judge(function, token);
    if verdict.panic {
        panic!("{function} panics, as ordered");
    }
    if let Some(wait) = verdict.wait {
        module.set_busy(target, true);
        module = sleep(module, token, wait);
        module.set_busy(target, false);
        // Much may have happened meanwhile.
        module.reach(function, target)?;
    }
    match verdict.fail {
        None => Ok(module),
        Some(code) => {
            module.break_off(function, target);
            Err(code)
        }
    }
}

/// Lets calls that wait go on, which look whether they may.
pub(crate) fn wake() {
    WAITING.notify_all();
}

fn sleep(
    mut module: MutexGuard<'static, Module>,
    token: Option<TokenId>,
    wait: Wait,
) -> MutexGuard<'static, Module> {
    let end = match wait {
        Wait::For(time) => Some(Instant::now() + time),
        Wait::UntilReleased => None,
    };
    let before = module.releases(token);
    module.count_waiting(token, 1);
    while module.releases(token) == before {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        module = match left {
            Some(left) if left.is_zero() => break,
            Some(left) => {
                let woken = WAITING.wait_timeout(module, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            None => WAITING.wait(module).unwrap_or_else(PoisonError::into_inner),
        };
    }
    module.count_waiting(token, -1);
    module
}

impl Module {
    /// Counts a call and finds its token; `None` is all of them.
    fn arrive(&mut self, function: &'static str, target: Target) -> Result<Option<TokenId>> {
        match function {
            "C_Initialize" => self.prepare()?,
            _ => self.ready()?,
        }
        let token = match target {
            Target::Library => {
                self.tokens.values_mut().for_each(|t| t.count(function));
                return Ok(None);
            }
            Target::Slot(slot) => self.token(slot)?,
            Target::Session(handle) => {
                let lost = self.lost.get(&handle).map(|(token, _)| *token);
                let session = self.sessions.get(&handle).map(|s| s.token);
                let id = session.or(lost).ok_or(CKR_SESSION_HANDLE_INVALID)?;
                self.tokens.get_mut(&id).ok_or(CKR_DEVICE_REMOVED)?
            }
        };
        token.count(function);
        let id = token.id;
        if let Target::Session(handle) = target
            && let Ok((session, token)) = self.session(handle)
        {
            token.counts.sessions_shared += u64::from(session.busy);
            token.expire_login_if_due();
        }
        self.reach(function, target)?;
        Ok(Some(id))
    }

    /// Whether a call gets as far as its token.
    fn reach(&mut self, function: &'static str, target: Target) -> Result<()> {
        if function != "C_Initialize" {
            self.ready()?;
        }
        match target {
            Target::Library => Ok(()),
            // A slot is there without its token, too.
            Target::Slot(slot) if function == "C_GetSlotInfo" => self.token(slot).map(|_| ()),
            Target::Slot(slot) => self.token(slot)?.presence.for_slot(),
            Target::Session(handle) => {
                if let Some((token, code)) = self.lost.get(&handle) {
                    if let Some(token) = self.tokens.get(token) {
                        token.presence.for_session()?;
                    }
                    let code = *code;
                    if function == "C_CloseSession" {
                        self.lost.remove(&handle);
                    }
                    return Err(code);
                }
                self.session(handle)?.1.presence.for_session()
            }
        }
    }

    fn judge(&mut self, function: &'static str, token: Option<TokenId>) -> Verdict {
        let mut verdict = Verdict::default();
        match token {
            None => {
                let tokens = self.tokens.values_mut();
                tokens.for_each(|token| verdict.and(token.faults.meet(function)));
            }
            Some(id) => {
                if let Some(token) = self.tokens.get_mut(&id) {
                    verdict = token.faults.meet(function);
                    if let Some(left) = token.presence.pause_left() {
                        verdict.wait_for(Wait::For(left));
                    }
                }
            }
        }
        verdict
    }

    /// A failed `C_Sign` ends its operation (PKCS#11 2.40, 5.11).
    fn break_off(&mut self, function: &'static str, target: Target) {
        if let Target::Session(handle) = target
            && let Ok((session, _)) = self.session(handle)
            && function == "C_Sign"
        {
            session.signing = None;
        }
    }

    /// Marks a session while a call works in it without the lock.
    pub(crate) fn set_busy(&mut self, target: Target, busy: bool) {
        if let Target::Session(handle) = target
            && let Some(session) = self.sessions.get_mut(&handle)
        {
            session.busy = busy;
        }
    }

    /// How often waiting calls were released: of one token, or of any.
    fn releases(&self, token: Option<TokenId>) -> u64 {
        let tokens = self.tokens.values();
        tokens
            .filter(|t| token.is_none_or(|id| t.id == id))
            .map(|t| t.counts.releases)
            .sum()
    }

    fn count_waiting(&mut self, token: Option<TokenId>, change: i64) {
        for each in self.tokens.values_mut() {
            if token.is_none_or(|id| each.id == id) {
                each.counts.waiting = each.counts.waiting.saturating_add_signed(change);
            }
        }
    }
}
