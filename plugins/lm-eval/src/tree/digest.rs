//! What changes whenever a setting of a task does: a hash of all its settings.

use super::group::{Group, GroupMetric, Member};
use crate::{Setting, TaskConfig};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Writes values so that no two have the same bytes. Paths are told from the directories of the tree, so that a tree has the same
/// digests wherever it lies.
struct Writer<'a> {
    directories: &'a [PathBuf],
    bytes: Vec<u8>,
}

/// The digest of a task or a group, with everything below it.
pub(super) fn of_member(member: &Member, directories: &[PathBuf]) -> String {
    let mut writer = Writer { directories, bytes: Vec::new() };
    match member {
        Member::Task(task) => writer.task(task),
        Member::Group(group) => writer.group(group),
    }
    writer.finish()
}

/// The digest of several, in their order.
pub(super) fn of_members(members: &[Member], directories: &[PathBuf]) -> String {
    let mut writer = Writer { directories, bytes: Vec::new() };
    writer.members(members);
    writer.finish()
}

impl Writer<'_> {
    fn finish(self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend(format!("s{}:{text}", text.len()).bytes());
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.bytes.push(b'[');
        items.iter().for_each(|item| write(self, item));
        self.bytes.push(b']');
    }

    fn optional<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        match value {
            None => self.bytes.push(b'n'),
            Some(value) => write(self, value),
        }
    }

    fn task(&mut self, task: &TaskConfig) {
        let none = Setting::Map(Vec::new());
        let metadata = task.settings.iter().find(|(key, _)| key == "metadata").map_or(&none, |(_, metadata)| metadata);
        let others = task.settings.iter().filter(|(key, _)| key != "metadata");
        self.bytes.push(b'{');
        for (key, value) in others.map(|(key, value)| (key.as_str(), value)).chain([("metadata", metadata)]) {
            self.text(key);
            self.setting(value);
        }
        self.bytes.push(b'}');
    }

    fn group(&mut self, group: &Group) {
        self.bytes.push(b'[');
        self.text(&group.name);
        self.optional(group.alias.as_ref(), |writer, alias| writer.text(alias));
        self.list(&group.metrics, Writer::metric);
        self.members(&group.members);
        self.bytes.push(b']');
    }

    fn metric(&mut self, metric: &GroupMetric) {
        self.bytes.push(b'[');
        self.text(&metric.metric);
        self.optional(metric.filters.as_ref(), |writer, filters| {
            writer.list(filters, |writer, filter| writer.text(filter));
        });
        self.bytes.push(if metric.weight_by_size { b't' } else { b'f' });
        self.bytes.push(b']');
    }

    fn members(&mut self, members: &[Member]) {
        self.list(members, |writer, member| {
            let digest = of_member(member, writer.directories);
            writer.list(&[member.name(), &digest], |writer, text| writer.text(text));
        });
    }

    fn setting(&mut self, value: &Setting) {
        match value {
            Setting::Null => self.bytes.push(b'n'),
            Setting::Bool(true) => self.bytes.push(b't'),
            Setting::Bool(false) => self.bytes.push(b'f'),
            Setting::Int(value) => self.bytes.extend(format!("i{value};").bytes()),
            Setting::Float(value) => self.bytes.extend(format!("d{:016x}", value.to_bits()).bytes()),
            Setting::Text(text) => self.text(text),
            Setting::List(items) => self.list(items, Writer::setting),
            Setting::Map(entries) => {
                self.bytes.push(b'{');
                for (key, value) in entries {
                    self.text(key);
                    self.setting(value);
                }
                self.bytes.push(b'}');
            }
            Setting::Function(function) => {
                let inside = self.directories.iter().find_map(|directory| function.file.strip_prefix(directory).ok());
                let file: &Path = inside.unwrap_or(&function.file);
                self.bytes.push(b'!');
                self.text(&format!("{}:{}", file.display(), function.name));
            }
        }
    }
}
