//! The description of an end entity: what a leaf certificate says, or what a request asks for.

use std::net::IpAddr;

use der::asn1::{Ia5String, ObjectIdentifier};
use der::flagset::FlagSet;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;

use super::error::{Error, Item};
use super::name::{check_dns_name, common_name, parse_name};
use super::request::Request;
use super::validity::Validity;

/// A server or a client, as its certificate describes it.
///
/// ```
/// use shangmi::pki::{Leaf, Validity};
///
/// let server = Leaf::server("localhost").ip([127, 0, 0, 1].into()).validity(Validity::days(90));
/// let client = Leaf::client("alice").subject("CN=alice,O=Example,C=CN");
/// ```
#[derive(Clone, Debug)]
pub struct Leaf {
    subject: Subject,
    names: Vec<AlternativeName>,
    purposes: Vec<Purpose>,
    key_usage: FlagSet<KeyUsages>,
    pub(super) validity: Option<Validity>,
}

/// What a leaf certificate is for (ExtendedKeyUsage, RFC 5280 section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// TLS server (id-kp-serverAuth).
    Server,
    /// TLS client (id-kp-clientAuth).
    Client,
}

/// The kinds of subjectAltName that TLS looks at.
#[derive(Clone, Debug)]
enum AlternativeName {
    Dns(String),
    Ip(IpAddr),
}

#[derive(Clone, Debug)]
enum Subject {
    CommonName(String),
    Text(String),
    Name(Name),
}

impl Leaf {
    /// A TLS server of this DNS name or IP address, which becomes the common name and the first
    /// subjectAltName.
    pub fn server(name: &str) -> Self {
        let leaf = Self::new(Subject::CommonName(name.into()), Purpose::Server);
        match name.parse() {
            Ok(address) => leaf.ip(address),
            Err(_) => leaf.dns(name),
        }
    }

    /// A TLS client with this common name, of 1 to 64 characters.
    pub fn client(common_name: &str) -> Self {
        Self::new(Subject::CommonName(common_name.into()), Purpose::Client)
    }

    /// What a request asks for, as far as a requester may: its subject, and its DNS names and IP
    /// addresses. The purpose, like all the rest, is for the issuer to decide.
    ///
    /// # Errors
    /// [`Error::Profile`] where it asks for other kinds of names, or for addresses that are none;
    /// [`Error::Malformed`] where its names cannot be read.
    pub fn from_request(request: &Request, purpose: Purpose) -> Result<Self, Error> {
        let names = request
            .alternative_names()?
            .iter()
            .map(AlternativeName::from_general_name)
            .collect::<Option<_>>()
            .ok_or_else(|| Error::Profile {
                item: Item::Request,
                subject: request.subject(),
                rule: "only DNS names and IP addresses are issued as subjectAltName; \
                       ask again without the others",
            })?;
        Ok(Self {
            names,
            ..Self::new(Subject::Name(request.subject_name().clone()), purpose)
        })
    }

    /// The whole subject in place of the common name, in the form of RFC 4514:
    /// `CN=localhost,O=Example,C=CN`.
    pub fn subject(mut self, subject: &str) -> Self {
        self.subject = Subject::Text(subject.into());
        self
    }

    /// One more DNS name in subjectAltName; internationalised names in their `xn--` form.
    pub fn dns(mut self, name: &str) -> Self {
        self.names.push(AlternativeName::Dns(name.into()));
        self
    }

    /// One more IP address in subjectAltName.
    pub fn ip(mut self, address: IpAddr) -> Self {
        self.names.push(AlternativeName::Ip(address));
        self
    }

    /// One more purpose, for a host that is server and client.
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        if !self.purposes.contains(&purpose) {
            self.purposes.push(purpose);
        }
        self
    }

    /// The period of validity. Without it: a year from now, and not beyond the issuer's own.
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = Some(validity);
        self
    }

    /// The key usage in place of digitalSignature, such as that of a TLCP encryption certificate.
    /// TLS 1.3 with SM2 needs digitalSignature (RFC 8998 section 3.3.3).
    pub fn key_usage(mut self, usage: impl Into<FlagSet<KeyUsages>>) -> Self {
        self.key_usage = usage.into();
        self
    }

    fn new(subject: Subject, purpose: Purpose) -> Self {
        Self {
            subject,
            names: Vec::new(),
            purposes: vec![purpose],
            key_usage: KeyUsages::DigitalSignature.into(),
            validity: None,
        }
    }

    pub(super) fn to_name(&self) -> Result<Name, Error> {
        match &self.subject {
            Subject::CommonName(text) => common_name(text),
            Subject::Text(text) => parse_name(text),
            Subject::Name(name) => Ok(name.clone()),
        }
    }

    /// KeyUsage, ExtendedKeyUsage and subjectAltName. BasicConstraints is left out: it says nothing
    /// in a leaf, and GmSSL refuses it there.
    pub(super) fn extensions(&self, item: Item) -> Result<Vec<Extension>, Error> {
        let subject = self.to_name()?;
        let refuse = |rule| Error::Profile {
            item,
            subject: subject.to_string(),
            rule,
        };
        if self.key_usage.is_empty() {
            return Err(refuse("the key usage must have at least one bit"));
        }
        if !self
            .key_usage
            .is_disjoint(KeyUsages::KeyCertSign | KeyUsages::CRLSign)
        {
            return Err(refuse(
                "a leaf may not sign certificates or revocation lists; make a subordinate CA",
            ));
        }
        let names = self
            .names
            .iter()
            .map(|name| name.to_general_name(item))
            .collect::<Result<Vec<_>, _>>()?;
        if subject.is_empty() && names.is_empty() {
            return Err(refuse(
                "it names nobody; give a subject or an alternative name",
            ));
        }
        let purposes = self.purposes.iter().map(|purpose| purpose.oid()).collect();
        let encode = || {
            let mut extensions = vec![
                (&KeyUsage(self.key_usage)).to_extension(&subject, &[])?,
                (&ExtendedKeyUsage(purposes)).to_extension(&subject, &[])?,
            ];
            if !names.is_empty() {
                extensions.push((&SubjectAltName(names)).to_extension(&subject, &[])?);
            }
            Ok(extensions)
        };
        encode().map_err(item.malformed())
    }
}

impl AlternativeName {
    fn to_general_name(&self, item: Item) -> Result<GeneralName, Error> {
        match self {
            Self::Dns(name) => {
                check_dns_name(name)?;
                let name = Ia5String::new(name).map_err(item.malformed())?;
                Ok(GeneralName::DnsName(name))
            }
            Self::Ip(address) => Ok((*address).into()),
        }
    }

    fn from_general_name(name: &GeneralName) -> Option<Self> {
        match name {
            GeneralName::DnsName(name) => Some(Self::Dns(name.as_str().into())),
            GeneralName::IpAddress(octets) => {
                let octets = octets.as_bytes();
                let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(octets).map(IpAddr::from);
                v4.or(v6).ok().map(Self::Ip)
            }
            _ => None,
        }
    }
}

impl Purpose {
    fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Server => "1.3.6.1.5.5.7.3.1",
            Self::Client => "1.3.6.1.5.5.7.3.2",
        })
    }
}
