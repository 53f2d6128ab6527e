//! Whole TLS handshakes in memory, both ends on one thread: what `./figures` measures.

use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A client's and a server's configuration that belong together.
pub struct Ends {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}
