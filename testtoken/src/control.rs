//! The door for orders that is always open: a C function outside PKCS#11, and what orders do.

use crate::behaviour::{Event, Library, Order};
use crate::faults::Faults;
use crate::module::{self, Module};
use crate::objects::{Attributes, Object};
use crate::token::TokenId;
use crate::{OrderError, Result, behaviour, gate, sm2};
use cryptoki_sys::*;
use std::panic::catch_unwind;

/// The function's name in the module.
pub(crate) const CONTROL: &[u8] = b"shangmi_testtoken_control";

/// What [`CONTROL`] is in C.
pub(crate) type Control = unsafe extern "C" fn(*const u8, usize, *mut u8, *mut usize) -> CK_RV;

/// Gives orders to a token, or asks it for its report, whatever state it is in.
///
/// The request is text: the token's serial number, `*` for all or nothing for the module alone; a
/// line break; `set`, `add` or `report`; a line break; and the orders in the words of
/// [`Behaviour`](crate::Behaviour). `set` ends all standing orders first. The answer is text too:
/// the report, the points of keys that were made, or, with `CKR_ARGUMENTS_BAD`, what is wrong with
/// the request. It is cut if there is no room for it, with `CKR_BUFFER_TOO_SMALL`.
///
/// # Safety
/// `request` is valid for reading `request_len` bytes, `answer` for writing `*answer_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shangmi_testtoken_control(
    request: *const u8,
    request_len: usize,
    answer: *mut u8,
    answer_len: *mut usize,
) -> CK_RV {
    if request.is_null() || answer.is_null() || answer_len.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    // SAFETY: by the contract of this function.
    let (request, room) = unsafe {
        (
            std::slice::from_raw_parts(request, request_len),
            answer_len.read(),
        )
    };
    let result = catch_unwind(|| match str::from_utf8(request) {
        Ok(request) => answer_to(request).map_err(|error| error.0),
        Err(_) => Err("is no text".into()),
    });
    let (code, text) = match result {
        Ok(Ok(text)) => (CKR_OK, text),
        Ok(Err(text)) => (CKR_ARGUMENTS_BAD, text),
        Err(_) => (CKR_GENERAL_ERROR, String::new()),
    };
    let fits = text.len().min(room);
    // SAFETY: by the contract of this function; `fits` is within both lengths.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), answer, fits);
        answer_len.write(fits);
    }
    match fits == text.len() {
        true => code,
        false => CKR_BUFFER_TOO_SMALL,
    }
}

fn answer_to(request: &str) -> std::result::Result<String, OrderError> {
    let refused = || OrderError(request.into());
    let mut lines = request.splitn(3, '\n');
    let (serial, verb) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let orders = behaviour::parse(lines.next().unwrap_or(""))?;

    let mut module = module::lock();
    let tokens: Vec<_> = module
        .tokens
        .values()
        .filter(|token| serial == "*" || token.serial() == serial)
        .map(|token| token.id)
        .collect();
    if tokens.is_empty() && !serial.is_empty() && serial != "*" {
        return Err(refused());
    }
    match verb {
        "report" => {
            let reports = tokens.iter().filter_map(|id| module.report(*id));
            Ok(reports.map(|report| report.to_text()).collect())
        }
        "set" | "add" => {
            for id in &tokens {
                if let Some(token) = module.tokens.get_mut(id).filter(|_| verb == "set") {
                    token.faults = Faults::default();
                }
            }
            let mut answer = String::new();
            for order in orders {
                answer += &module.follow(&tokens, order).map_err(|_| refused())?;
            }
            Ok(answer)
        }
        _ => Err(refused()),
    }
}

impl Module {
    pub(crate) fn report(&self, id: TokenId) -> Option<crate::Report> {
        let (open, _) = self.session_counts(id);
        Some(self.tokens.get(&id)?.report(open))
    }

    fn follow(&mut self, tokens: &[TokenId], order: Order) -> Result<String> {
        match order {
            Order::Library(Library::Finalize) => self.finalize(),
            Order::Library(Library::Profile(profile)) => self.set_profile(profile),
            Order::Library(Library::Token { .. }) => return Err(CKR_ARGUMENTS_BAD),
            Order::Standing(order) => {
                for id in tokens {
                    if let Some(token) = self.tokens.get_mut(id) {
                        token.faults.obey(order.clone());
                    }
                }
            }
            Order::Event(event) => {
                let answers = tokens.iter().map(|id| self.obey(*id, event.clone()));
                return answers.collect();
            }
        }
        Ok(String::new())
    }

    /// Does what an order asks for at once; the answer is the point of a key that it made.
    pub(crate) fn obey(&mut self, id: TokenId, event: Event) -> Result<String> {
        let token = self.tokens.get_mut(&id).ok_or(CKR_SLOT_ID_INVALID)?;
        match event {
            Event::Release => {
                token.counts.releases += 1;
                gate::wake();
            }
            Event::LoseSessions => self.lose_sessions(id, |_| true, CKR_SESSION_HANDLE_INVALID),
            Event::CloseSessions => self.lose_sessions(id, |_| true, CKR_SESSION_CLOSED),
            Event::ExpireLogin => token.expire_login(),
            Event::ExpirePin => token.expire_pin()?,
            Event::CryptoUser(pin) => token.set_crypto_user_pin(pin.as_bytes())?,
            Event::Move(slot) => self.move_token(id, slot),
            Event::Remove(time) => {
                token.presence.remove(time);
                self.lose_sessions(id, |_| true, CKR_SESSION_HANDLE_INVALID);
            }
            Event::Return => token.presence.put_back(),
            Event::Members(count) => {
                token.presence.set_members(count);
                self.lose_sessions(id, |_| true, CKR_SESSION_HANDLE_INVALID);
            }
            Event::LoseMember(member, pause) => {
                if !token.presence.set_member(member, false) {
                    return Err(CKR_ARGUMENTS_BAD);
                }
                if let Some(time) = pause {
                    token.presence.pause(time);
                }
                let on_it = |session: &module::Session| session.member == Some(member);
                self.lose_sessions(id, on_it, CKR_SESSION_HANDLE_INVALID);
            }
            Event::ReturnMember(member) => {
                if !token.presence.set_member(member, true) {
                    return Err(CKR_ARGUMENTS_BAD);
                }
            }
            Event::Key { label, id, secret } => {
                let key = match secret {
                    None => sm2::generate()?,
                    Some(secret) => sm2::import(&secret)?,
                };
                let names = Attributes::from([
                    (CKA_TOKEN, vec![CK_TRUE]),
                    (CKA_LABEL, label.into_bytes()),
                    (CKA_ID, id),
                ]);
                let point = sm2::ec_point(&key);
                let (public, private) = Object::pair(names.clone(), names, key, token.profile)?;
                token.add(public);
                token.add(private);
                return Ok(point[2..]
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect());
            }
            Event::Destroy(label) => token.destroy_keys(&label),
        }
        Ok(String::new())
    }
}
