//! Looks at everything, changes nothing.

use std::path::Path;
use std::time::Instant;

use cryptoki::object::ObjectHandle;
use cryptoki::slot::{Limit, Slot, TokenInfo};
use cryptoki_sys::{CK_FLAGS, CK_MECHANISM_TYPE, CK_ULONG, CKF_GENERATE_KEY_PAIR, CKF_SIGN};

use super::super::admin::{KeyInfo, objects};
use super::super::key::template;
use super::super::login::login;
use super::super::module::{Inside, Module};
use super::super::options::Options;
use super::super::profile::{Profile, lacks_ha_only};
use super::super::report::Reporter;
use super::super::scheme::{Encoding, Hash, Scheme};
use super::super::token::{self, Token, key_name};
use super::super::uri::Uri;
use super::super::visit::{Access, Signed, Visit};
use super::mechanisms;
use super::{
    Ability, KeyReport, LoginReport, MechanismReport, ModuleReport, ProfileReport, Report,
    SignatureReport, SlotReport, TokenReport,
};
use crate::hsm::{Action, Error};

/// Most keys that are tried.
const MAX_KEYS: usize = 64;

/// Signatures of each key, of which the median time is told.
const SIGNATURES: usize = 5;

/// Looks at the module that `uri` names and at its tokens, and changes nothing in them.
///
/// What the URI says about the token and the key narrows the search; without it, everything is
/// looked at. Only if there is a PIN, and exactly one token is described, a login is tried, once;
/// not on a PIN's last try. Then each private key signs random digests, which are verified in
/// software.
///
/// # Errors
/// [`Error::Incomplete`] without a module; [`Error::Module`], [`Error::Library`] and
/// [`Error::Call`] where the module cannot be loaded or tells nothing of itself. All else that goes
/// wrong is in the report.
pub fn probe(uri: &Uri, options: &Options) -> Result<Report, Error> {
    let module = Module::load(uri, options)?;
    let path = uri.module_path().unwrap_or(Path::new(""));
    let inside = module.enter()?;
    let info = inside.pkcs11().get_library_info()?;
    let slots = inside.pkcs11().get_all_slots()?;
    let profile = module.profile;
    let mut look = Look {
        uri,
        options,
        module: &module,
        inside: &inside,
        findings: Vec::new(),
    };
    let mut slots: Vec<_> = slots.into_iter().map(|slot| look.slot(slot)).collect();
    look.choose(&mut slots);
    Ok(Report {
        shangmi: env!("CARGO_PKG_VERSION"),
        module: ModuleReport {
            path: path.display().to_string(),
            manufacturer: info.manufacturer_id().into(),
            description: info.library_description().into(),
            version: info.library_version().to_string(),
            cryptoki: info.cryptoki_version().to_string(),
        },
        profile: profile.map(|profile| ProfileReport {
            name: profile.name().into(),
            detected: options.profile_for(uri).is_none(),
            key_type: profile.key_type(),
            mechanism: profile.mechanism(),
            limits: limits(profile),
        }),
        slots,
        findings: look.findings,
    })
}

struct Look<'a> {
    uri: &'a Uri,
    options: &'a Options,
    module: &'a Module,
    inside: &'a Inside<'a>,
    findings: Vec<String>,
}

impl Look<'_> {
    fn slot(&mut self, slot: Slot) -> SlotReport {
        let mut report = SlotReport {
            number: slot.id(),
            description: String::new(),
            manufacturer: String::new(),
            token: None,
        };
        match self.inside.pkcs11().get_slot_info(slot) {
            Ok(info) => {
                report.description = info.slot_description().into();
                report.manufacturer = info.manufacturer_id().into();
                if !info.token_present() {
                    return report;
                }
            }
            Err(error) => self.slot_fault(slot, error),
        }
        match self.inside.pkcs11().get_token_info(slot) {
            Ok(info) => report.token = Some(self.token(slot, &info)),
            Err(error) => self.slot_fault(slot, error),
        }
        report
    }

    fn slot_fault(&mut self, slot: Slot, error: cryptoki::error::Error) {
        let error = Error::from(error).of(self.module.vendor());
        self.findings.push(format!("slot {}: {error}", slot.id()));
    }

    fn token(&mut self, slot: Slot, info: &TokenInfo) -> TokenReport {
        let chosen = info.token_initialized() && token::matches(info, self.uri);
        let mut report = TokenReport {
            label: info.label().into(),
            serial: info.serial_number().into(),
            manufacturer: info.manufacturer_id().into(),
            model: info.model().into(),
            firmware: info.firmware_version().to_string(),
            flags: flags(info),
            sessions: info.session_count(),
            max_sessions: match info.max_session_count() {
                Limit::Max(count) => Some(count),
                Limit::Unavailable | Limit::Infinite => None,
            },
            chosen,
            mechanisms: Vec::new(),
            abilities: Vec::new(),
            login: None,
            keys: Vec::new(),
        };
        if !chosen {
            return report;
        }
        for (bad, finding) in [
            (
                info.user_pin_locked(),
                "the user PIN is locked: the security officer must reset it",
            ),
            (
                info.user_pin_to_be_changed(),
                "the user PIN must be changed before anything works",
            ),
            (!info.user_pin_initialized(), "there is no user PIN yet"),
            (
                info.error_state(),
                "the token is in an error state, after a failed self-test",
            ),
        ] {
            if bad {
                self.find(info.label(), finding);
            }
        }
        match self.inside.raw().mechanisms(slot) {
            Ok(numbers) => {
                report.mechanisms = numbers.iter().map(|n| self.mechanism(slot, *n)).collect();
                report.abilities = self.abilities(&report.mechanisms);
                for ability in &report.abilities {
                    // Other keys than SM2 may be none of the user's business.
                    if let (SM2_SIGNATURES, Some(obstacle)) = (ability.what, &ability.obstacle) {
                        self.find(info.label(), &format!("no {SM2_SIGNATURES}: {obstacle}"));
                    }
                }
            }
            Err(error) => self.slot_fault(slot, error),
        }
        report
    }

    fn mechanism(&self, slot: Slot, number: CK_MECHANISM_TYPE) -> MechanismReport {
        let (info, error) = match self.inside.raw().mechanism_info(slot, number) {
            Ok(info) => (info, None),
            Err(error) => (Default::default(), Some(Error::from(error).to_string())),
        };
        MechanismReport {
            number,
            name: mechanisms::name(number, self.module.profile),
            min_key_size: info.ulMinKeySize,
            max_key_size: info.ulMaxKeySize,
            flags: info.flags,
            error,
        }
    }

    fn abilities(&self, mechanisms: &[MechanismReport]) -> Vec<Ability> {
        let able = |what, name: &str, number: CK_MECHANISM_TYPE, flag, bits| Ability {
            what,
            mechanism: format!("{name} ({number:#x})"),
            obstacle: obstacle(mechanisms, number, flag, bits),
        };
        let unknown = |what| Ability {
            what,
            mechanism: "the vendor's SM2 mechanism".into(),
            obstacle: Some(
                "the vendor is not known: name it with x-profile, or give a profile".into(),
            ),
        };
        let mut abilities = Vec::new();
        match self.module.profile {
            Some(profile) => {
                abilities.push(able(
                    SM2_SIGNATURES,
                    profile.mechanism_name(),
                    profile.mechanism(),
                    CKF_SIGN,
                    256,
                ));
                match profile.key_pair_generation() {
                    Some(number) => abilities.push(able(
                        SM2_PAIRS,
                        "CKM_SM2_KEY_PAIR_GEN",
                        number,
                        CKF_GENERATE_KEY_PAIR,
                        256,
                    )),
                    None => abilities.push(unknown(SM2_PAIRS)),
                }
            }
            None => abilities.extend([unknown(SM2_SIGNATURES), unknown(SM2_PAIRS)]),
        }
        let others = [
            ("ECDSA P-256 signatures", Scheme::EcdsaP256, 256),
            ("ECDSA P-384 signatures", Scheme::EcdsaP384, 384),
            (
                "RSA signatures with PSS (TLS 1.3)",
                Scheme::RsaPss(Hash::Sha256),
                2048,
            ),
            (
                "RSA signatures with PKCS#1 (TLS 1.2)",
                Scheme::RsaPkcs1(Hash::Sha256),
                2048,
            ),
        ];
        for (what, scheme, bits) in others {
            let (name, number) = (scheme.mechanism_name(), scheme.mechanism_number());
            abilities.push(able(what, name, number, CKF_SIGN, bits));
        }
        abilities
    }

    /// Logs in to the one token that is described, and tries its keys.
    fn choose(&mut self, slots: &mut [SlotReport]) {
        let descriptions: Vec<_> = slots.iter().map(|s| s.description.clone()).collect();
        if self.module.profile == Some(Profile::LUNA) && lacks_ha_only(&descriptions) {
            self.findings.push(
                "an HA group and partitions are visible as slots: if they are its members, \
                 turn HAonly on (lunacm: hagroup haonly -enable), or slots renumber when one fails"
                    .into(),
            );
        }
        let tokens = slots.iter_mut().filter_map(|slot| slot.token.as_mut());
        let mut chosen: Vec<_> = tokens.filter(|token| token.chosen).collect();
        match &mut chosen[..] {
            [] => self
                .findings
                .push("no initialized token is what was asked for".into()),
            [token] => self.enter(token),
            _ if self.options.pin_for(self.uri).is_some() => self.findings.push(
                "the PIN was not used, since there are several tokens: name one by its label or \
                 serial number"
                    .into(),
            ),
            _ => {}
        }
    }

    fn enter(&mut self, report: &mut TokenReport) {
        if let Err(error) = self.try_to_enter(report) {
            let error = error.of(self.module.vendor());
            self.find(&report.label, &error.to_string());
        }
    }

    fn try_to_enter(&mut self, report: &mut TokenReport) -> Result<(), Error> {
        let token = Token::find(self.inside, self.uri)?;
        let reporter = Reporter {
            token: token.label.clone(),
            audit: self.options.audit.clone(),
        };
        let profile = self.module.profile;
        let visit = Visit::open(Access::Read, self.inside, &token, profile, &reporter)?;
        if token.login_required && self.options.pin_for(self.uri).is_some() {
            let last_try = report.flags.contains(&FINAL_TRY) || report.flags.contains(&LOCKED);
            if last_try {
                self.find(
                    &report.label,
                    "the PIN was not used, since this is its last try",
                );
                return Ok(());
            }
            let begin = Instant::now();
            let entered = login(&token, &visit.session, self.uri, self.options);
            let entered = entered.map_err(|error| error.of(self.module.vendor()));
            reporter.event(Action::Login, begin.elapsed(), entered.as_ref().err());
            report.login = Some(LoginReport {
                user: self.options.user_for(self.uri).to_string(),
                error: entered.as_ref().err().map(without_source),
            });
            if let Err(error) = entered {
                let finding = format!("the login failed: {}", without_source(&error));
                self.find(&report.label, &finding);
                return Ok(());
            }
        }
        let mut found = objects(&visit.session, &template(self.uri))?;
        found.truncate(MAX_KEYS);
        for key in found {
            let info = KeyInfo::read(&visit, key)?;
            // A session of its own: a signature that fails may leave an operation active.
            let signature = visit.again().and_then(|visit| try_key(&visit, key));
            let signature = signature.map_err(|error| error.of(self.module.vendor()));
            if let Err(error) = &signature {
                let (name, error) = (info.name(), error.to_string());
                self.find(
                    &report.label,
                    &match error.contains(&name) {
                        true => error,
                        false => format!("{name}: {error}"),
                    },
                );
            }
            report.keys.push(KeyReport {
                key: info,
                error: signature.as_ref().err().map(ToString::to_string),
                signature: signature.ok(),
            });
        }
        let asked = self.uri.object().is_some() || self.uri.id().is_some();
        if asked && report.keys.is_empty() {
            self.find(&report.label, "no private key is what was asked for");
        }
        Ok(())
    }

    fn find(&mut self, token: &str, finding: &str) {
        self.findings.push(format!("token {token}: {finding}"));
    }
}

fn try_key(visit: &Visit<'_>, key: ObjectHandle) -> Result<SignatureReport, Error> {
    let name = key_name(&visit.session, key);
    let schemes = visit.schemes(key, &name)?;
    let kind = schemes.first().map(|scheme| scheme.kind());
    let public = kind.map(|kind| visit.public_key(key, kind));
    let public = public.transpose()?.flatten();
    let public = public.ok_or_else(|| Error::NoPublicKey { key: name.clone() })?;
    let sign = |_| visit.sign_random(key, &name, &schemes, &public);
    let mut signed: Vec<Signed> = (0..SIGNATURES).map(sign).collect::<Result<_, _>>()?;
    signed.sort_by_key(|signed| signed.duration);
    let Some(median) = signed.get(SIGNATURES / 2) else {
        return Err(Error::answer("no signature"));
    };
    Ok(SignatureReport {
        mechanism: median.scheme.mechanism_name(),
        encoding: match (median.scheme, median.encoding) {
            (Scheme::RsaPss(_) | Scheme::RsaPkcs1(_), _) => None,
            (_, Encoding::Raw) => Some("r || s"),
            (_, Encoding::Der) => Some("DER"),
        },
        microseconds: u64::try_from(median.duration.as_micros()).unwrap_or(u64::MAX),
    })
}

const SM2_SIGNATURES: &str = "SM2 signatures";
const SM2_PAIRS: &str = "SM2 key pairs";

const FINAL_TRY: &str = "user PIN at its last try";
const LOCKED: &str = "user PIN locked";

fn flags(info: &TokenInfo) -> Vec<&'static str> {
    let told = [
        (!info.token_initialized(), "not initialized"),
        (info.login_required(), "login required"),
        (
            info.protected_authentication_path(),
            "PIN entered at the device",
        ),
        (info.user_pin_initialized(), "user PIN set"),
        (info.user_pin_count_low(), "wrong PINs were tried"),
        (info.user_pin_final_try(), FINAL_TRY),
        (info.user_pin_locked(), LOCKED),
        (info.user_pin_to_be_changed(), "user PIN to be changed"),
        (info.write_protected(), "write-protected"),
        (info.error_state(), "in an error state"),
    ];
    let set = told.into_iter().filter(|(set, _)| *set);
    set.map(|(_, name)| name).collect()
}

/// An error without the place where the PIN is, which is nobody else's business.
fn without_source(error: &Error) -> String {
    match error {
        Error::PinFile { reason, .. } => format!("PIN file: {reason}"),
        Error::PinEnvironment { reason, .. } => format!("PIN in the environment: {reason}"),
        Error::PinCommand { reason, .. } => format!("PIN command: {reason}"),
        other => other.to_string(),
    }
}

/// Why a mechanism would not do.
fn obstacle(
    mechanisms: &[MechanismReport],
    number: CK_MECHANISM_TYPE,
    flag: CK_FLAGS,
    bits: CK_ULONG,
) -> Option<String> {
    let Some(listed) = mechanisms.iter().find(|m| m.number == number) else {
        return Some("not listed: check firmware and policies".into());
    };
    if listed.error.is_some() {
        return None;
    }
    if listed.flags & flag == 0 {
        return Some("listed, but not for this use".into());
    }
    // Some tokens tell the sizes in bytes, some tell nothing.
    let max = listed.max_key_size;
    (max >= 256 && max < bits).then(|| format!("keys have at most {max} bits"))
}

/// What cannot be had from tokens of this vendor.
fn limits(profile: Profile) -> Vec<&'static str> {
    match profile == Profile::LUNA {
        true => vec![
            "SM2 decryption and key agreement are not among a Luna's mechanisms (firmware 7.9): \
             TLCP's encryption key cannot live there",
            "SM4-GCM, SM4-CCM and HKDF with SM3 are not either: TLS records are protected on the \
             host",
        ],
        false => Vec::new(),
    }
}
