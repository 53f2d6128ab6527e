//! A server with its key in the test token, and clients that it knows.

use std::sync::Arc;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::types::AuthPin;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use shangmi::hsm::pkcs11::{Options, Pool, TokenKey, Uri};
use shangmi::pki::{Ca, Leaf, Validity};
use shangmi::random::SystemRandom;
use shangmi::sm2::{SecretKey, SignDigest};
use shangmi::tls13::{self, Sm2SigningKey};
use shangmi_testtoken::{TestToken, module_path};

/// Whatever keeps a measurement from being made.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PIN: &str = "a PIN of the load test";

/// Mutual TLS (RFC 8998) with SM2 on both sides: the server's key in a token of its own, the
/// clients' in software. Every handshake is a full one.
pub struct Bank {
    /// The token, to be given orders.
    pub token: TestToken,
    /// Sessions with the token that were opened to make it.
    pub(super) sessions_before: u64,
    /// The pool of sessions with it.
    pub pool: Pool,
    /// The server's key.
    pub key: TokenKey,
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

impl Bank {
    /// The name in the server's certificate.
    pub(super) const HOST: &str = "localhost";

    /// Makes a token of this label with a key, and opens a pool.
    ///
    /// # Errors
    /// When the token or the library refuses.
    pub fn open(label: &str, options: Options) -> Result<Self> {
        Self::with(token(label)?, options)
    }

    /// The same in a process that has no other bank: it is the pool that initializes the module,
    /// as in a server, and so the pool may do that again.
    ///
    /// # Errors
    /// When the token or the library refuses.
    pub fn open_alone(label: &str, options: Options) -> Result<Self> {
        let token = token(label)?;
        token.finalize_library()?;
        Self::with(token, options)
    }

    fn with(token: TestToken, options: Options) -> Result<Self> {
        let sessions_before = token.report()?.sessions_opened;
        let uri = uri(&token)?;
        let pool = Pool::open(&uri, options)?;
        let key = pool.key(&uri, None)?;

        let root = SecretKey::generate(&mut SystemRandom)?;
        let ca = Ca::self_signed("CN=CA of the load test", root, Validity::days(1))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate().to_der().into())?;
        let roots = Arc::new(roots);
        let provider = Arc::new(tls13::strict());

        let certificate = ca.issue(&Leaf::server(Self::HOST), key.sm2()?.public_key())?;
        let chain = vec![certificate.to_der().into()];
        let own = tls13::certified_key(chain, Arc::new(key.clone()))?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(tls13::client_verifier(roots.clone(), &provider)?)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
        server.send_tls13_tickets = 0;

        let secret = SecretKey::generate(&mut SystemRandom)?;
        let certificate = ca.issue(&Leaf::client("client"), secret.public_key())?;
        let chain = vec![certificate.to_der().into()];
        let own = tls13::certified_key(chain, Arc::new(Sm2SigningKey::new(Arc::new(secret))))?;
        let verifier = tls13::server_verifier(roots, &provider)?;
        let mut client = tls13::client_config(provider, verifier)?
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
        client.resumption = Resumption::disabled();
        Ok(Self {
            token,
            sessions_before,
            pool,
            key,
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }

    /// A session beside the pool's. The pool's login is the whole process's, and so its own too.
    pub(super) fn session(&self) -> Result<Session> {
        let module = Pkcs11::new(module_path()?)?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        for slot in module.get_slots_with_token()? {
            if module.get_token_info(slot)?.serial_number() == self.token.serial() {
                return Ok(module.open_rw_session(slot)?);
            }
        }
        Err("the token is in no slot".into())
    }

    /// Changes the user's PIN, which the pool does not learn, and ends the login.
    pub(super) fn change_pin(&self) -> Result<()> {
        let (old, new) = (AuthPin::new(PIN.into()), AuthPin::new("another PIN".into()));
        self.session()?.set_pin(&old, &new)?;
        Ok(self.token.expire_login()?)
    }
}

fn token(label: &str) -> Result<TestToken> {
    let token = TestToken::create(label, PIN)?;
    token.generate_sm2("server", &[1])?;
    Ok(token)
}

/// The token is named by its serial number, which it keeps in any slot.
fn uri(token: &TestToken) -> Result<Uri> {
    let (module, serial) = (module_path()?, token.serial());
    let pin = PIN.replace(' ', "%20");
    let uri = format!(
        "pkcs11:serial={serial};object=server?module-path={}&pin-value={pin}",
        module.display()
    );
    Ok(uri.parse()?)
}
