//! The client against real registries.

#[cfg(test)]
mod blobs;
#[cfg(test)]
mod docker_registry;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod pulls;
#[cfg(test)]
mod pushes;
#[cfg(test)]
mod tls;
