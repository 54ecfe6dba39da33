//! The crate as its users meet it.

#[cfg(test)]
mod declared;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod requirements;
#[cfg(test)]
mod robust;
#[cfg(test)]
mod sources;
