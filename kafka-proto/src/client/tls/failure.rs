//! What a failure of TLS most likely means, in words that lead to its cure.

use rustls::{AlertDescription, CertificateError};

use super::Progress;
use crate::error::{Error, ErrorKind};

/// What neither side of a sound connection does.
pub(super) fn unsealed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Protocol, format!("TLS failed: {error}")).caused_by(error)
}

/// The likely cause of a failure, in words that lead to the cure.
pub(super) fn explain(error: &rustls::Error, progress: Progress) -> Error {
    use rustls::Error as Tls;
    let untrusted = |why: String| {
        let message = format!("the broker's certificate is not trusted: {why}");
        (ErrorKind::Untrusted, message)
    };
    let (kind, message) = match error {
        Tls::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                untrusted(format!("it has expired, or the clock here is wrong ({error})"))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                untrusted(format!("it is not valid yet, or the clock here is wrong ({error})"))
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                untrusted(format!(
                    "it is for another name than the one that was dialled or advertised ({error})"
                ))
            }
            CertificateError::UnknownIssuer => untrusted(format!(
                "no known authority has issued it; give the authority's certificate by `roots_pem` ({error})"
            )),
            _ => untrusted(error.to_string()),
        },
        Tls::NoCertificatesPresented => untrusted("it showed none".to_owned()),
        Tls::AlertReceived(alert) => refused(*alert, progress),
        // Java's broker says it in a way that cannot be decrypted when it misses a client certificate
        Tls::DecryptError if progress.established && !progress.heard => (
            ErrorKind::Authentication,
            "the broker ended the connection after the TLS handshake: it may want a client certificate, or refuse ours"
                .to_owned(),
        ),
        Tls::InvalidMessage(_) if !progress.established => {
            let message =
                format!("the peer does not speak TLS, it may expect plaintext ({error})");
            (ErrorKind::Protocol, message)
        }
        Tls::PeerIncompatible(_) => (
            ErrorKind::Unsupported,
            format!("the broker and this client have no TLS version or cipher in common ({error})"),
        ),
        _ => (ErrorKind::Protocol, format!("TLS failed: {error}")),
    };
    Error::new(kind, message).caused_by(error.clone())
}

/// What a broker means that ends a connection by an alert.
fn refused(alert: AlertDescription, progress: Progress) -> (ErrorKind, String) {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => (
            ErrorKind::Authentication,
            format!("the broker wants a client certificate (alert {alert:?})"),
        ),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => (
            ErrorKind::Authentication,
            format!("the broker refuses the client certificate, or misses one (alert {alert:?})"),
        ),
        Alert::HandshakeFailure if !progress.established => (
            ErrorKind::Authentication,
            format!(
                "the broker refused the TLS handshake: it may want a client certificate, or have no cipher in common with \
                 this client (alert {alert:?})"
            ),
        ),
        Alert::ProtocolVersion | Alert::InsufficientSecurity => (
            ErrorKind::Unsupported,
            format!(
                "the broker speaks none of TLS 1.2 and 1.3 that this client takes (alert {alert:?})"
            ),
        ),
        Alert::UnrecognisedName => (
            ErrorKind::Untrusted,
            format!("the broker does not know the name that was dialled (alert {alert:?})"),
        ),
        alert => (
            ErrorKind::Protocol,
            format!("the broker ended TLS by the alert {alert:?}"),
        ),
    }
}
