//! The one network of all subjects in containers: internal, so that nothing is reached but this machine, and without
//! traffic between containers. Twins listen on this machine's loopback; for each that a subject may use, its port is
//! opened on the network's gateway as well.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bollard::{
    Docker,
    errors::Error as DockerError,
    models::NetworkCreateRequest,
    query_parameters::{InspectContainerOptions, InspectNetworkOptions},
};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::subject::relay::{Door, Target, relay};

const NAME: &str = "harness-subjects";
const CONFLICT: u16 = 409; // it exists already

#[derive(Debug)]
pub(super) struct Network {
    docker: Docker,
    gateway: Ipv4Addr,
    /// By port: a subject and the commands of its trial share a door.
    doors: Mutex<HashMap<u16, Weak<Relay>>>,
}

/// Open doors to twins. Each closes when nobody holds it any more.
pub(super) type Relays = Vec<Arc<Relay>>;

/// An open door to one twin.
#[derive(Debug)]
pub(super) struct Relay(AbortHandle);

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Network {
    /// Finds the network, or makes it. It stays for the next run.
    pub(super) async fn open(docker: Docker) -> Result<Self, DockerError> {
        let request = NetworkCreateRequest {
            name: NAME.to_owned(),
            driver: Some("bridge".to_owned()),
            internal: Some(true),
            options: Some(HashMap::from([("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned())])),
            ..NetworkCreateRequest::default()
        };
        let known = docker.inspect_network(NAME, None::<InspectNetworkOptions>).await;
        let found = match known {
            Ok(found) => found,
            Err(_) => {
                match docker.create_network(request).await {
                    Ok(_) | Err(DockerError::DockerResponseServerError { status_code: CONFLICT, .. }) => {}
                    Err(error) => return Err(error),
                }
                docker.inspect_network(NAME, None::<InspectNetworkOptions>).await?
            }
        };
        let configs = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let gateway = configs.into_iter().find_map(|config| config.gateway?.parse().ok());
        let gateway = gateway.ok_or_else(|| unusable("the network has no gateway"))?;
        Ok(Self { docker, gateway, doors: Mutex::default() })
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    pub(super) fn name(&self) -> &'static str {
        NAME
    }

    /// The text with this machine's loopback addresses as a container reaches them.
    pub(super) fn reach(&self, text: &str) -> String {
        let gateway = format!("{}:", self.gateway);
        text.replace("127.0.0.1:", &gateway).replace("localhost:", &gateway)
    }

    /// Opens ports of this machine's loopback to containers.
    pub(super) fn relay(&self, ports: &[u16]) -> io::Result<Relays> {
        ports.iter().map(|port| self.door(*port)).collect()
    }

    fn door(&self, port: u16) -> io::Result<Arc<Relay>> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = doors.get(&port).and_then(Weak::upgrade) {
            return Ok(open);
        }
        doors.retain(|_, door| door.strong_count() > 0);
        let listener = std::net::TcpListener::bind((self.gateway, port))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let target = Target::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let relaying = tokio::spawn(relay(Door::Tcp(listener), target));
        let door = Arc::new(Relay(relaying.abort_handle()));
        doors.insert(port, Arc::downgrade(&door));
        Ok(door)
    }

    /// Where a started container is.
    pub(super) async fn address(&self, id: &str) -> Result<Ipv4Addr, DockerError> {
        let found = self.docker.inspect_container(id, None::<InspectContainerOptions>).await?;
        let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.get(NAME).and_then(|endpoint| endpoint.ip_address.as_ref()?.parse().ok());
        address.ok_or_else(|| unusable("the container ended before it had an address"))
    }
}

fn unusable(what: &str) -> DockerError {
    DockerError::IOError { err: io::Error::other(what.to_owned()) }
}
