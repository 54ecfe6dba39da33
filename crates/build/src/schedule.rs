//! Which of several images can be begun, and which wait for others.

use imagewright_oci::ImageReference;
use imagewright_spec::ImageSpec;

use crate::native::BuildRequest;

/// Where an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Running,
    Done,
}

/// Which orders wait for which.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// The earlier order that a repeated one is like; it is not built itself.
    twins: Vec<Option<usize>>,
    /// The orders that have to be done before.
    after: Vec<Vec<usize>>,
}

impl Schedule {
    pub(crate) fn of(requests: &[&BuildRequest]) -> Self {
        let twin = |at: usize| requests[..at].iter().position(|earlier| is_same(earlier, requests[at]));
        let twins: Vec<Option<usize>> = (0..requests.len()).map(twin).collect();
        let chains: Vec<Chain<'_>> = requests.iter().map(|request| Chain::of(request)).collect();
        let after = chains.iter().enumerate().map(|(at, chain)| {
            let is_before = |&other: &usize| {
                let it = &chains[other];
                let is_earlier = other < at && (chain.has_name_of(it) || chain.contends_with(it));
                other != at && twins[other].is_none() && (chain.is_over(it) || is_earlier)
            };
            (0..chains.len()).filter(is_before).collect()
        });
        let after = after.collect();
        Self { twins, after }
    }

    /// For each order the earlier one that it repeats.
    pub(crate) fn twins(&self) -> impl Iterator<Item = &Option<usize>> {
        self.twins.iter()
    }

    /// An order that can be begun. When nothing is under way and all wait for each other, that is the first.
    pub(crate) fn next(&self, states: &[State], is_idle: bool) -> Option<usize> {
        let mut waiting =
            (0..states.len()).filter(|&at| states[at] == State::Waiting && self.twins[at].is_none());
        let is_ready = |&at: &usize| self.after[at].iter().all(|&before| states[before] == State::Done);
        let first = waiting.clone().next().filter(|_| is_idle);
        waiting.find(is_ready).or(first)
    }
}

/// Whether two requests ask for the same in all.
fn is_same(request: &BuildRequest, it: &BuildRequest) -> bool {
    let BuildRequest {
        spec,
        with,
        client,
        id,
        directory,
        left_out: _,
        fallback_python,
        python_is_chosen,
        push,
        further_tags,
        // These are the command's, for all of its specs.
        sinks: _,
        force,
        no_cache,
        lock,
        frozen,
        upgrade,
        refresh,
        offline,
        epoch,
    } = request;
    (spec, with, client, id) == (&it.spec, &it.with, &it.client, &it.id)
        && (directory, fallback_python, python_is_chosen)
            == (&it.directory, &it.fallback_python, &it.python_is_chosen)
        && (push, further_tags) == (&it.push, &it.further_tags)
        && (force, no_cache, frozen, upgrade, refresh, offline, epoch)
            == (&it.force, &it.no_cache, &it.frozen, &it.upgrade, &it.refresh, &it.offline, &it.epoch)
        && lock.as_ref().map(|lock| &lock.lock) == it.lock.as_ref().map(|lock| &lock.lock)
}

/// The image of a request, and those that it is on top of.
struct Chain<'a> {
    request: &'a BuildRequest,
    /// A spec without a name has none; it fails when it is built.
    image: Option<ImageReference>,
    bases: Vec<(ImageReference, &'a ImageSpec)>,
}

impl<'a> Chain<'a> {
    fn of(request: &'a BuildRequest) -> Self {
        let image = |spec: &ImageSpec| spec.image_name(&request.directory).ok();
        let bases = request.spec.with_bases().skip(1).filter_map(|base| Some((image(base)?, base)));
        Self { request, image: image(&request.spec), bases: bases.collect() }
    }

    fn has_name_of(&self, other: &Self) -> bool {
        self.image.is_some() && self.image == other.image
    }

    fn is_over(&self, other: &Self) -> bool {
        self.bases.iter().any(|(image, _)| Some(image) == other.image.as_ref())
    }

    /// Whether both have a base of one name, and make it in two ways: as it is made by one after the other, what is at
    /// its tag does not depend on which is quicker.
    fn contends_with(&self, other: &Self) -> bool {
        let is_one_way = self.request.makes_bases_as(other.request);
        let is_other = |(image, base): &(ImageReference, &ImageSpec)| {
            other.bases.iter().any(|(name, it)| name == image && !(is_one_way && it == base))
        };
        self.bases.iter().any(is_other)
    }
}

#[cfg(test)]
mod tests {
    use imagewright_lock::Upgrade;
    use imagewright_lock::python::Refresh;
    use imagewright_spec::{ParseOptions, parse_yaml};

    use super::*;

    fn request(yaml: &str) -> BuildRequest {
        let options = ParseOptions::default();
        BuildRequest {
            spec: parse_yaml(yaml, &options).unwrap(),
            with: Vec::new(),
            client: None,
            id: None,
            directory: ".".into(),
            left_out: Vec::new(),
            fallback_python: "3.13".parse().unwrap(),
            python_is_chosen: false,
            push: true,
            further_tags: Vec::new(),
            sinks: Vec::new(),
            force: false,
            no_cache: false,
            lock: None,
            frozen: false,
            upgrade: Upgrade::Nothing,
            refresh: Refresh::WhenOld,
            offline: false,
            epoch: 1,
        }
    }

    /// For each request the one that it repeats, or those that it waits for.
    fn told(requests: &[BuildRequest]) -> Vec<String> {
        let schedule = Schedule::of(&requests.iter().collect::<Vec<_>>());
        let told = schedule.twins.iter().zip(&schedule.after).map(|(twin, after)| match twin {
            Some(twin) => format!("as {twin}"),
            None => after.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        });
        told.collect()
    }

    const BASE: &str = "{name: base, packages: [six], registry: localhost:5000}";
    const TAGGED: &str = "{name: base, packages: [idna], registry: localhost:5000, tag_format: v1}";

    #[test]
    fn each_waits_for_those_it_needs_or_would_hinder() {
        let over = |name: &str, base: &str| format!("{{name: {name}, base_image: {base}}}");
        let other_base = TAGGED.replace("idna", "six");
        let a = over("a", BASE);
        for (specs, expected) in [
            (&["{name: a}", "{name: b}", "{name: a}"][..], &["", "", "as 0"][..]),
            // What it is on top of comes first, wherever it stands.
            (&[&a, BASE], &["1", ""]),
            (&[&over("b", &a), &a, BASE, &a], &["1 2", "2", "", "as 1"]),
            // Two that have one base do not wait for each other.
            (&[&a, &over("b", BASE)], &["", ""]),
            // The tag is the later one's.
            (&["{name: a, tag_format: v1}", "{name: a, tag_format: v1, packages: [six]}"], &["", "0"]),
            (&[&over("a", TAGGED), &over("b", &other_base)], &["", "0"]),
            (&[&over("a", TAGGED), &over("b", &over("c", &other_base))], &["", "0"]),
        ] {
            let requests: Vec<BuildRequest> = specs.iter().map(|spec| request(spec)).collect();
            assert_eq!(told(&requests), expected, "{specs:?}");
        }
    }

    #[test]
    fn one_base_that_is_made_in_two_ways_is_made_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.lock");
        fs_err::write(&file, "").unwrap();
        let over = |name: &str| request(&format!("{{name: {name}, base_image: {BASE}}}"));
        for (b, expected) in [
            (over("b"), ""),
            (BuildRequest { push: false, ..over("b") }, "0"),
            (BuildRequest { epoch: 2, ..over("b") }, "0"),
            (BuildRequest { fallback_python: "3.12".parse().unwrap(), ..over("b") }, "0"),
            (BuildRequest { left_out: vec![file], ..over("b") }, "0"),
            (BuildRequest { left_out: vec![folder.path().join("b.lock")], ..over("b") }, ""),
            (BuildRequest { with: vec!["six".to_owned()], id: Some("x".to_owned()), ..over("b") }, ""),
        ] {
            assert_eq!(told(&[over("a"), b.clone()]), ["", expected], "{b:?}");
        }
    }

    #[test]
    fn of_those_that_wait_for_each_other_the_first_is_begun() {
        let (a, b) = ("{name: a, tag_format: v1", "{name: b, tag_format: v1");
        let of = |upper: &str, lower: &str| request(&format!("{upper}, base_image: {lower}}}}}"));
        let requests = [of(a, b), of(b, a)];
        let schedule = Schedule::of(&requests.iter().collect::<Vec<_>>());
        let waiting = [State::Waiting; 2];
        assert_eq!(schedule.next(&waiting, false), None);
        assert_eq!(schedule.next(&waiting, true), Some(0));
        assert_eq!(schedule.next(&[State::Running, State::Waiting], false), None);
        assert_eq!(schedule.next(&[State::Done, State::Waiting], true), Some(1));
        assert_eq!(schedule.next(&[State::Done; 2], true), None);
    }
}
