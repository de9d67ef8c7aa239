//! Subjects in Docker containers: the image's own root, read-only; the tree at its own path, read-only; the trial's data
//! folder; no capability; no way out but to the twins.
//!
//! Paths are the same inside and outside, so nothing in a command has to be rewritten but the addresses of twins: this
//! machine's loopback is not the container's. `network` explains how they are reached. Start at [`ContainerLauncher`].

mod network;
mod running;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bollard::{
    API_DEFAULT_VERSION, Docker,
    container::LogOutput,
    errors::Error as DockerError,
    models::{ContainerCreateBody, HostConfig, HostConfigLogConfig},
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions,
    },
};
use futures::StreamExt as _;
use tokio::{io::AsyncWriteExt as _, sync::OnceCell, time::timeout};

use self::{network::Network, running::Contained};
use super::{
    ExecOutput, ExecRequest, Exit, LaunchError, LaunchRequest, Launcher, Leaks, Running, TreeAccess,
    isolation::ContainerOptions, log::Log,
};

pub(super) const SOCKET_DEFAULT: &str = "/var/run/docker.sock";
const ANSWER_WITHIN_SECONDS: u64 = 120; // of one request to the engine; a loaded machine starts slowly
const OWNER: &str = "harness.owner"; // label: the process id of the harness that made the container
const PLACE: &str = "harness.place"; // label: where that number means something
const STRANGER_KEPT_SECONDS: i64 = 24 * 60 * 60; // of one that runs where this process cannot look
const NOT_FOUND: u16 = 404;
const BAD_REQUEST: u16 = 400;
const DRAIN: Duration = Duration::from_millis(500); // for the last output of a dead container

/// Starts each subject, and each command, in a container of its own.
#[derive(Debug)]
pub(super) struct ContainerLauncher {
    docker: Docker,
    options: ContainerOptions,
    host_env: BTreeMap<String, String>,
    network: OnceCell<Network>,
}

/// What one container is for.
struct Cell<'a> {
    argv: &'a [String],
    env: &'a BTreeMap<String, String>,
    env_allow: &'a [String],
    root: &'a Path,
    access: TreeAccess,
    cwd: &'a Path,
    data_dir: &'a Path,
}

impl ContainerLauncher {
    /// Nothing is asked of the engine yet.
    pub(super) fn new(
        socket: &str,
        options: ContainerOptions,
        host_env: BTreeMap<String, String>,
    ) -> Result<Self, LaunchError> {
        let docker = Docker::connect_with_unix(socket, ANSWER_WITHIN_SECONDS, API_DEFAULT_VERSION)
            .map_err(|error| no_engine(&error))?;
        Ok(Self { docker, options, host_env, network: OnceCell::new() })
    }

    /// The engine's network for subjects; asked for once.
    async fn network(&self) -> Result<&Network, LaunchError> {
        let open = async {
            // Speaks to engines that are older than this client.
            let docker = self.docker.clone().negotiate_version().await?;
            remove_orphans(&docker).await?;
            Network::open(docker).await
        };
        self.network.get_or_try_init(|| open).await.map_err(|error| no_engine(&error))
    }

    /// A container that is made and not started.
    async fn create(&self, network: &Network, cell: &Cell<'_>, stdin: Stdin) -> Result<Contained, LaunchError> {
        let (program, arguments) = cell.argv.split_first().ok_or_else(|| LaunchError::Subject {
            program: String::new(),
            reason: "the command is empty".to_owned(),
        })?;
        let allowed = cell.env_allow.iter().filter_map(|name| self.host_env.get_key_value(name));
        let env = allowed.chain(cell.env).map(|(name, value)| format!("{name}={}", network.reach(value)));
        let user = format!("{}:{}", rustix::process::getuid(), rustix::process::getgid());
        let body = ContainerCreateBody {
            image: Some(self.options.image.clone()),
            entrypoint: Some(vec![program.clone()]),
            cmd: Some(arguments.iter().map(|word| network.reach(word)).collect()),
            env: Some(env.collect()),
            user: Some(user),
            working_dir: Some(cell.cwd.display().to_string()),
            open_stdin: Some(stdin == Stdin::Open),
            stdin_once: Some(stdin == Stdin::Open),
            attach_stdin: Some(stdin == Stdin::Open),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            labels: Some(HashMap::from([
                (OWNER.to_owned(), std::process::id().to_string()),
                (PLACE.to_owned(), place()),
            ])),
            host_config: Some(self.host_config(network, cell)),
            ..ContainerCreateBody::default()
        };
        // Named by us and held from before it exists: a run that is dropped meanwhile still removes it.
        let mut contained = Contained::to_be(network.docker().clone());
        let options = CreateContainerOptionsBuilder::new().name(contained.id()).build();
        let created = network.docker().create_container(Some(options), body).await;
        contained.settle(created.is_ok());
        created.map_err(|error| self.not_created(program, &error))?;
        Ok(contained)
    }

    fn host_config(&self, network: &Network, cell: &Cell<'_>) -> HostConfig {
        let memory = i64::from(self.options.memory_mib) * 1024 * 1024;
        let tree = match cell.access {
            TreeAccess::ReadOnly => "ro",
            TreeAccess::ReadWrite => "rw",
        };
        let bind = |path: &Path, mode: &str| format!("{0}:{0}:{mode}", path.display());
        HostConfig {
            binds: Some(vec![bind(cell.root, tree), bind(cell.data_dir, "rw")]),
            tmpfs: Some(HashMap::from([("/tmp".to_owned(), "mode=1777".to_owned())])),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            memory: Some(memory),
            memory_swap: Some(memory),
            pids_limit: Some(i64::from(self.options.pids)),
            nano_cpus: self.options.cpus.map(|cpus| (cpus * 1e9) as i64),
            network_mode: Some(network.name().to_owned()),
            // The output is read as it comes; a second copy could fill the disk.
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            init: Some(true),
            ..HostConfig::default()
        }
    }

    fn not_created(&self, program: &str, error: &DockerError) -> LaunchError {
        let reason = match error {
            DockerError::DockerResponseServerError { status_code: NOT_FOUND, .. } => {
                format!("the image `{0}` is not on this machine; `docker pull {0}` or build it", self.options.image)
            }
            other => other.to_string(),
        };
        LaunchError::Machine { program: program.to_owned(), reason }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stdin {
    Open,
    Closed,
}

#[async_trait]
impl Launcher for ContainerLauncher {
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let program = request.argv.first().cloned().unwrap_or_default();
        let here = |reason: String| LaunchError::Machine { program: program.clone(), reason };
        let network = self.network().await?;
        let cell = Cell {
            argv: &request.argv,
            env: &request.env,
            env_allow: &request.env_allow,
            root: &request.root,
            access: TreeAccess::ReadOnly,
            cwd: &request.root,
            data_dir: &request.data_dir,
        };
        let relays = network.relay(&request.egress).map_err(|error| here(error.to_string()))?;
        let log = Log::append_to(&request.log).map_err(|error| here(error.to_string()))?;
        let mut contained = self.create(network, &cell, Stdin::Closed).await?;
        let attached = attach(network.docker(), contained.id(), Stdin::Closed).await;
        let mut output = attached.map_err(|error| here(error.to_string()))?.output;
        start(network.docker(), contained.id(), &program).await?;
        let address = network.address(contained.id()).await.map_err(|error| here(error.to_string()))?;
        let pump = tokio::spawn(async move {
            while let Some(Ok(part)) = output.next().await {
                log.write(&part.into_bytes());
            }
        });
        let base_url = format!("http://{address}:{}", request.port).parse().expect("an address makes a URL");
        contained.serve(base_url, pump, relays);
        Ok(Box::new(contained))
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError> {
        let program = request.argv.first().cloned().unwrap_or_default();
        let here = |error: &dyn std::error::Error| LaunchError::Machine {
            program: program.clone(),
            reason: error.to_string(),
        };
        let network = self.network().await?;
        let cwd = request.root.join(&request.cwd);
        let cell = Cell {
            argv: &request.argv,
            env: &request.env,
            env_allow: &request.env_allow,
            root: &request.root,
            access: request.access,
            cwd: &cwd,
            data_dir: &request.data_dir,
        };
        let _relays = network.relay(&request.egress).map_err(|error| here(&error))?;
        std::fs::create_dir_all(&request.data_dir).map_err(|error| here(&error))?;
        let contained = self.create(network, &cell, Stdin::Open).await?;
        let attached = attach(network.docker(), contained.id(), Stdin::Open).await.map_err(|error| here(&error))?;
        let started = Instant::now();
        start(network.docker(), contained.id(), &program).await?;
        let mut input = attached.input;
        let stdin = request.stdin;
        let feed = tokio::spawn(async move {
            // A command that does not read its input closes the pipe; that is its right.
            input.write_all(&stdin).await.ok();
            input.shutdown().await.ok();
        });
        let collected = tokio::spawn(collect(attached.output, request.output_bytes_max));
        let exit = timeout(request.timeout, contained.wait()).await.unwrap_or(Exit::TimedOut);
        let duration = started.elapsed();
        feed.abort();
        contained.remove().await;
        let Collected { stdout, stderr, is_cut } = match timeout(DRAIN, collected).await {
            Ok(Ok(collected)) => collected,
            _ => Collected { is_cut: true, ..Collected::default() },
        };
        Ok(ExecOutput { exit, stdout, stderr, truncated: is_cut, duration, leaks: Leaks::default() })
    }
}

async fn attach(
    docker: &Docker,
    id: &str,
    stdin: Stdin,
) -> Result<bollard::container::AttachContainerResults, DockerError> {
    let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true);
    docker.attach_container(id, Some(options.stdin(stdin == Stdin::Open).build())).await
}

/// A program that is not in the image is the machine's fault; one that is missing in the tree is the subject's.
async fn start(docker: &Docker, id: &str, program: &str) -> Result<(), LaunchError> {
    let Err(error) = docker.start_container(id, None::<StartContainerOptions>).await else { return Ok(()) };
    let (program, reason) = (program.to_owned(), error.to_string());
    let is_missing =
        matches!(error, DockerError::DockerResponseServerError { status_code: NOT_FOUND | BAD_REQUEST, .. });
    if is_missing && program.contains('/') {
        return Err(LaunchError::Subject { program, reason });
    }
    Err(LaunchError::Machine { program, reason })
}

#[derive(Default)]
struct Collected {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    is_cut: bool,
}

/// Reads to the end and keeps the first `bytes_max` of each stream.
async fn collect(
    mut output: impl futures::Stream<Item = Result<LogOutput, DockerError>> + Unpin,
    bytes_max: usize,
) -> Collected {
    let mut collected = Collected::default();
    while let Some(Ok(part)) = output.next().await {
        let kept = match part {
            LogOutput::StdErr { .. } => &mut collected.stderr,
            LogOutput::StdOut { .. } | LogOutput::StdIn { .. } | LogOutput::Console { .. } => &mut collected.stdout,
        };
        let bytes = part.into_bytes();
        let fits = bytes.len().min(bytes_max - kept.len());
        kept.extend_from_slice(&bytes[..fits]);
        collected.is_cut |= fits < bytes.len();
    }
    collected
}

/// Removes what harnesses that were killed have left behind.
async fn remove_orphans(docker: &Docker) -> Result<(), DockerError> {
    let labelled = ListContainersOptionsBuilder::new().all(true).filters(&HashMap::from([("label", vec![OWNER])]));
    for summary in docker.list_containers(Some(labelled.build())).await? {
        let label = |name| summary.labels.as_ref().and_then(|labels| labels.get(name)).map_or("", String::as_str);
        let age = summary.created.map_or(0, |created| jiff::Timestamp::now().as_second() - created);
        if let Some(id) = summary.id.filter(|_| is_orphan(label(OWNER), label(PLACE), age)) {
            let force = RemoveContainerOptionsBuilder::new().force(true).build();
            // Another harness may be doing the same.
            docker.remove_container(&id, Some(force)).await.ok();
        }
    }
    Ok(())
}

/// Two of CI's jobs may share an engine, each with processes of its own.
fn place() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.display())
}

fn is_orphan(owner: &str, at: &str, age_seconds: i64) -> bool {
    match owner.parse::<u32>() {
        Ok(owner) if at == place() => !Path::new(&format!("/proc/{owner}")).exists(),
        _ => age_seconds > STRANGER_KEPT_SECONDS,
    }
}

fn no_engine(error: &DockerError) -> LaunchError {
    let reason = format!("the Docker engine does not answer: {error}");
    LaunchError::Machine { program: "docker".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::{STRANGER_KEPT_SECONDS, is_orphan, place};

    #[test]
    fn a_container_is_left_to_those_who_can_know_its_owner() {
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let [dead, alive] = [dead.id(), std::process::id()].map(|id| id.to_string());
        assert!(is_orphan(&dead, &place(), 0));
        assert!(!is_orphan(&alive, &place(), STRANGER_KEPT_SECONDS + 1));
        for (owner, at) in [(dead.as_str(), "boot pid:[1]"), (&dead, ""), ("", &place())] {
            assert!(!is_orphan(owner, at, 0) && is_orphan(owner, at, STRANGER_KEPT_SECONDS + 1), "{owner} {at}");
        }
    }
}
