//! The report as text.

use std::fmt;

use super::mechanisms::uses;
use super::{Ability, KeyReport, MechanismReport, Report, SlotReport, TokenReport};
use crate::hsm::printable::Printable;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = &self.module;
        writeln!(f, "shangmi     {}", self.shangmi)?;
        writeln!(f, "module      {}", module.path)?;
        writeln!(
            f,
            "            {}, {} {}; PKCS#11 {}",
            Printable(&module.manufacturer),
            Printable(&module.description),
            module.version,
            module.cryptoki
        )?;
        match &self.profile {
            Some(profile) => {
                let how = if profile.detected {
                    "detected"
                } else {
                    "as told"
                };
                writeln!(
                    f,
                    "profile     {} ({how}): CKK_SM2 {:#x}, signatures {:#x}",
                    profile.name, profile.key_type, profile.mechanism
                )?;
                for limit in &profile.limits {
                    writeln!(f, "            {limit}")?;
                }
            }
            None => writeln!(f, "profile     none: the vendor is not known")?,
        }
        for slot in &self.slots {
            write!(f, "{slot}")?;
        }
        if self.findings.is_empty() {
            return writeln!(f, "findings    none");
        }
        writeln!(f, "findings    {}", self.findings.len())?;
        for finding in &self.findings {
            writeln!(f, "            {}", Printable(finding))?;
        }
        Ok(())
    }
}

impl fmt::Display for SlotReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "slot {:<6} {} ({})",
            self.number,
            Printable(&self.description),
            Printable(&self.manufacturer)
        )?;
        match &self.token {
            Some(token) => token.fmt(f),
            None => writeln!(f, "            no token"),
        }
    }
}

impl fmt::Display for TokenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "token       {}, serial {}; model {} by {}, firmware {}",
            Printable(named(&self.label)),
            Printable(&self.serial),
            Printable(&self.model),
            Printable(&self.manufacturer),
            self.firmware
        )?;
        writeln!(f, "            {}", self.flags.join(", "))?;
        if !self.chosen {
            return writeln!(f, "            not asked for");
        }
        let count = |count: Option<u64>| count.map_or("untold".into(), |n| n.to_string());
        writeln!(
            f,
            "            sessions open: {}, limit: {}",
            count(self.sessions),
            self.max_sessions
                .map_or("none told".into(), |n| n.to_string())
        )?;
        writeln!(f, "mechanisms  {}", self.mechanisms.len())?;
        for mechanism in &self.mechanisms {
            writeln!(f, "            {mechanism}")?;
        }
        for ability in &self.abilities {
            writeln!(f, "{ability}")?;
        }
        if let Some(login) = &self.login {
            let end = login.error.as_deref().unwrap_or("ok");
            writeln!(f, "login       as {}: {end}", login.user)?;
        } else {
            writeln!(f, "login       none")?;
        }
        for key in &self.keys {
            write!(f, "{key}")?;
        }
        Ok(())
    }
}

/// A blank token has no label.
fn named(label: &str) -> &str {
    match label.is_empty() {
        true => "(no label)",
        false => label,
    }
}

impl fmt::Display for MechanismReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("-");
        write!(f, "{:#010x}  {name:<28}", self.number)?;
        match &self.error {
            Some(error) => f.write_str(error),
            None => write!(
                f,
                "{}..{}  {}",
                self.min_key_size,
                self.max_key_size,
                uses(self.flags)
            ),
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what, mechanism, ..
        } = self;
        match &self.obstacle {
            None => write!(f, "can         {what}: {mechanism}"),
            Some(obstacle) => write!(f, "cannot      {what}: {mechanism}: {obstacle}"),
        }
    }
}

impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "key         {}", self.key)?;
        if let Some(signature) = &self.signature {
            write!(f, "            signs with {}", signature.mechanism)?;
            if let Some(encoding) = signature.encoding {
                write!(f, ", writes {encoding}")?;
            }
            let milliseconds = signature.microseconds as f64 / 1000.0;
            writeln!(
                f,
                ", verified in software; {milliseconds:.2} ms a signature"
            )?;
        }
        match &self.error {
            Some(error) => writeln!(f, "            {error}"),
            None => Ok(()),
        }
    }
}
