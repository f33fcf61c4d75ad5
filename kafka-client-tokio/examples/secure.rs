//! The secured lines of the README, against a broker in this process that speaks TLS and asks who comes.
//!
//! With `KAFKA_BROKERS=host:port` it talks to that one: `KAFKA_USER`, `KAFKA_PASSWORD` (SCRAM-SHA-512) and `KAFKA_CA`, a PEM
//! file with the authority, say how.

use std::{env, error::Error, time::Duration};

use kafka_client_tokio::{Client, Dialer, Record, Sasl, TlsConfig, TopicConfig};
use kafka_testing::{
    broker::{self, Cluster, Config},
    certificates,
    server::Server,
    tls::Tls,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let setting = |name: &str| env::var(name).map_err(|e| format!("{name}: {e}"));
    if env::var_os("KAFKA_BROKERS").is_some() {
        let ca = std::fs::read_to_string(setting("KAFKA_CA")?)?;
        let (user, password) = (setting("KAFKA_USER")?, setting("KAFKA_PASSWORD")?);
        return write(connect(&setting("KAFKA_BROKERS")?, &ca, &user, &password).await?).await;
    }
    let users = broker::Sasl::new().user("alice", "secret");
    let config = Config::new().sasl(users);
    let server = Server::start_tls(Cluster::new(config), Tls::new())?;
    let client = connect(&server.bootstrap(), certificates::CA, "alice", "secret").await?;
    write(client).await
}

async fn connect(
    brokers: &str,
    ca: &str,
    user: &str,
    password: &str,
) -> Result<Client, Box<dyn Error>> {
    let client = Dialer::new()
        .tls(TlsConfig::new().roots_pem(ca)?)
        .sasl(Sasl::scram_sha512(user, password))
        .connect(brokers)
        .await?;
    Ok(client)
}

async fn write(client: Client) -> Result<(), Box<dyn Error>> {
    client.create_topics(&[TopicConfig::new("orders")]).await?;
    let writer = client.writer("orders")?;
    let written = writer.write(Record::new("paid").key("order-17")).await?;
    println!(
        "written over TLS to partition {}, offset {:?}",
        written.partition, written.offset
    );
    client.close(Duration::from_secs(10)).await?;
    Ok(())
}
