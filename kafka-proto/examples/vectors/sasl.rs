//! What clients and brokers say to each other in SASL.

use base64::{Engine, prelude::BASE64_STANDARD};
use kafka_proto::sasl::{Mechanism, OauthBearer, Plain, SaslError, Scram, ScramHash, ScramNonce};
use serde_json::Value;

use super::line::{Outcome, Vector, equal, hex, same_bytes};

/// A whole exchange, with the keys on the way.
pub(crate) fn scram(v: &Vector) -> Outcome {
    let hash = match v.text("mechanism")? {
        "SCRAM-SHA-256" => ScramHash::Sha256,
        "SCRAM-SHA-512" => ScramHash::Sha512,
        other => return Err(format!("{other} is no SCRAM")),
    };
    let (user, password) = (v.text("user")?, v.text("password")?);
    let scram = match v.is("token_auth") {
        true => Scram::delegation_token(hash, user, password),
        false => Scram::new(hash, user, password),
    };
    equal("mechanism", scram.name(), v.text("mechanism")?)?;
    let nonce = ScramNonce::new(v.text("client_nonce")?).ok_or("no nonce")?;
    let (first, expect) = scram.start_with(nonce);
    same_bytes(&first, v.text("client_first")?.as_bytes())?;
    let error = |e: SaslError| e.to_string();
    let server_first = v.text("server_first")?;
    let (proof, expect) = expect.handle(server_first.as_bytes()).map_err(error)?;
    same_bytes(&proof, v.text("client_final")?.as_bytes())?;
    expect
        .handle(v.text("server_final")?.as_bytes())
        .map_err(error)?;

    let part = |name| {
        server_first
            .split(',')
            .find_map(|p: &str| p.strip_prefix(name))
    };
    let salt = BASE64_STANDARD
        .decode(part("s=").ok_or("no salt")?)
        .map_err(|e| e.to_string())?;
    let iterations = part("i=")
        .and_then(|i| i.parse().ok())
        .ok_or("no iterations")?;
    let salted = hash.salt_password(password, &salt, iterations);
    let keys = hash.keys(&salted);
    for (name, ours) in [
        ("salted_password", &salted),
        ("client_key", &keys.client_key),
        ("stored_key", &keys.stored_key),
        ("server_key", &keys.server_key),
    ] {
        if v.has(name) {
            same_bytes(ours, &v.hex(name)?).map_err(|e| format!("{name}: {e}"))?;
        }
    }
    Ok(())
}

/// A message of a broker that a client must not believe, or must.
pub(crate) fn scram_refused(v: &Vector) -> Outcome {
    let text = v.text("text")?.as_bytes();
    let nonce = v.text("client_nonce")?;
    let start = |hash| {
        let nonce = ScramNonce::new(nonce).ok_or("no nonce")?;
        Ok::<_, String>(Scram::new(hash, "user", "pencil").start_with(nonce).1)
    };
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let expect = start(hash)?;
        let result = match v.text("message")? {
            "server_first" => expect.handle(text).map(drop),
            "server_final" => {
                let first = format!("r={nonce}more,s=QSXCR+Q6sek8bf92,i=4096");
                let proof = expect.handle(first.as_bytes());
                let (_, expect) = proof.map_err(|e| e.to_string())?;
                expect.handle(text)
            }
            other => return Err(format!("no message is {other}")),
        };
        match (v.text("expect")?, result) {
            ("refuse", Ok(())) => return Err("is accepted".to_owned()),
            ("accept", Err(e)) => return Err(e.to_string()),
            ("refuse" | "accept" | "either", _) => {}
            (other, _) => return Err(format!("no verdict is {other}")),
        }
    }
    Ok(())
}

/// The first message of a client.
pub(crate) fn first(v: &Vector) -> Outcome {
    let error = |e: SaslError| e.to_string();
    let id = v.text("authorization_id").unwrap_or_default();
    let mechanism: Box<dyn Mechanism> = match v.text("mechanism")? {
        "PLAIN" => {
            let plain = Plain::new(v.text("user")?, v.text("password")?).map_err(error)?;
            Box::new(plain.authorization_id(id).map_err(error)?)
        }
        "OAUTHBEARER" => {
            let mut bearer = OauthBearer::new(v.text("token")?).map_err(error)?;
            bearer = bearer.authorization_id(id).map_err(error)?;
            for (name, value) in v.0["extensions"].as_object().into_iter().flatten() {
                let value = value.as_str().ok_or("an extension without a value")?;
                bearer = bearer.extension(name, value).map_err(error)?;
            }
            Box::new(bearer)
        }
        other => return Err(format!("{other} is unknown")),
    };
    equal("mechanism", mechanism.name(), v.text("mechanism")?)?;
    let (ours, _) = mechanism.start([0; 24]).map_err(error)?;
    if v.has("hex") {
        return same_bytes(&ours, &v.hex("hex")?);
    }
    // extensions have no order
    let any = v.list("hex_any_of")?.iter().map(|any: &Value| hex(any));
    let any: Vec<_> = any.collect::<Result<_, _>>()?;
    match any.contains(&ours) {
        true => Ok(()),
        false => Err("none of the right bytes".to_owned()),
    }
}
