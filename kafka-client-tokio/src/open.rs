//! How a broker's stream comes about: by lookup and TCP, or by the user's own way.

use std::{fmt, future::Future, io, pin::Pin, sync::Arc, time::Instant};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout_at,
};

/// How to open a stream to a host and a port.
#[derive(Clone, Default)]
pub(crate) enum Opener {
    #[default]
    Tcp,
    Own(Arc<Open>),
}

type Open = dyn Fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<OwnStream>> + Send>>
    + Send
    + Sync;

/// A stream that the user's function made.
pub(crate) type OwnStream = Pin<Box<dyn Duplex>>;

/// Both directions, as one trait object needs them.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// What was opened. TCP has halves without a lock, so it is kept apart.
pub(crate) enum Opened {
    Tcp(TcpStream),
    Own(OwnStream),
}

impl Opener {
    pub(crate) fn own<F, S>(open: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Self::Own(Arc::new(move |host, port| {
            let opening = open(host, port);
            Box::pin(async move { Ok(Box::pin(opening.await?) as OwnStream) })
        }))
    }

    /// Opens a stream, all by `deadline`.
    pub(crate) async fn open(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> io::Result<Opened> {
        let opening = async {
            match self {
                Self::Tcp => {
                    let stream = TcpStream::connect((host, port)).await?;
                    // requests are written whole: waiting for more of them in the kernel only costs time
                    stream.set_nodelay(true)?;
                    Ok(Opened::Tcp(stream))
                }
                Self::Own(open) => open(host.to_owned(), port).await.map(Opened::Own),
            }
        };
        let late = |_| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                "no connection within the set-up time-out",
            )
        };
        timeout_at(deadline.into(), opening).await.map_err(late)?
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "Tcp",
            Self::Own(_) => "Own",
        })
    }
}
