//! [`CancelTree`] against its definition: a node is effectively cancelled if it was cancelled itself or
//! sits, unshielded, below a node that is.

use std::collections::BTreeMap;

use _native::kernel::{CancelTree, Change, NodeId};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Operation {
    AddRoot,
    AddTask(usize),
    Enter { task: usize, shield: bool },
    Leave(usize),
    Close(usize),
    Cancel(usize),
    SetShield(usize, bool),
    RemoveTask(usize),
    MoveTask(usize, usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let at = any::<usize>;
    prop_oneof![
        1 => Just(Operation::AddRoot),
        4 => at().prop_map(Operation::AddTask),
        6 => (at(), any::<bool>()).prop_map(|(task, shield)| Operation::Enter { task, shield }),
        4 => at().prop_map(Operation::Leave),
        3 => at().prop_map(Operation::Close),
        3 => at().prop_map(Operation::Cancel),
        3 => (at(), any::<bool>()).prop_map(|(scope, shield)| Operation::SetShield(scope, shield)),
        2 => at().prop_map(Operation::RemoveTask),
        2 => (at(), at()).prop_map(|(task, scope)| Operation::MoveTask(task, scope)),
    ]
}

/// A node by definition. Its name, which both sides use, is what the task or the owner is called.
#[derive(Clone, Debug)]
struct Node {
    id: NodeId,
    parent: Option<u32>,
    is_task: bool,
    cancelled: bool,
    shield: bool,
    abandoned: bool,
    effective: bool,
    reason: Option<u32>,
}

type Tree = CancelTree<u32, u32, u32>;
const MISNESTED: u32 = u32::MAX;

#[derive(Default)]
struct Model {
    nodes: BTreeMap<u32, Node>,
    names: u32,
    vanished: Vec<u32>,
}

impl Model {
    fn add(&mut self, id: NodeId, parent: Option<u32>, is_task: bool, shield: bool) -> u32 {
        let name = self.names;
        let node = Node {
            id,
            parent,
            is_task,
            cancelled: false,
            shield,
            abandoned: false,
            effective: false,
            reason: None,
        };
        self.nodes.insert(name, node);
        self.names += 1;
        name
    }

    fn pick(&self, at: usize, tasks: bool) -> Option<u32> {
        let fitting: Vec<u32> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.is_task == tasks)
            .map(|(&name, _)| name)
            .collect();
        (!fitting.is_empty()).then(|| fitting[at % fitting.len()])
    }

    fn children(&self, name: u32) -> Vec<u32> {
        self.nodes
            .iter()
            .filter(|(_, node)| node.parent == Some(name))
            .map(|(&name, _)| name)
            .collect()
    }

    fn is_effective(&self, name: Option<u32>) -> bool {
        name.is_some_and(|name| self.nodes[&name].effective)
    }

    fn node(&mut self, name: u32) -> &mut Node {
        self.nodes.get_mut(&name).expect("a name of the model")
    }

    /// Takes a node out of its scope, which disappears if it was cut off and nobody else is in it.
    fn unlink(&mut self, name: u32) {
        let Some(parent) = self.node(name).parent.take() else { return };
        let node = &self.nodes[&parent];
        if node.abandoned && node.parent.is_none() && self.children(parent).is_empty() {
            self.nodes.remove(&parent);
            self.vanished.push(parent);
        }
    }

    fn abandon(&mut self, name: u32) {
        let node = self.node(name);
        if !node.is_task {
            node.abandoned = true;
        }
        for child in self.children(name) {
            self.abandon(child);
        }
    }

    /// Applies the definition, from the roots down; gives the tasks that have become cancelled.
    fn settle(&mut self) -> Vec<NodeId> {
        let mut hits = Vec::new();
        let mut open: Vec<u32> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.parent.is_none())
            .map(|(&name, _)| name)
            .collect();
        while let Some(name) = open.pop() {
            let parent = self.nodes[&name].parent;
            let outside = self.is_effective(parent);
            let inherited = parent.and_then(|parent| self.nodes[&parent].reason);
            let node = self.node(name);
            let now = node.cancelled || (outside && !node.shield);
            if now && !node.effective {
                if node.is_task {
                    hits.push(node.id);
                } else {
                    node.reason = node.reason.or(inherited);
                }
            }
            node.effective = now;
            open.extend(self.children(name));
        }
        hits
    }
}

/// Both sides.
#[derive(Default)]
struct Pair {
    tree: Tree,
    model: Model,
    change: Change<u32, u32>,
    reasons: u32,
}

impl Pair {
    fn perform(&mut self, operation: &Operation) -> Option<()> {
        match *operation {
            Operation::AddRoot => {
                let id = self.tree.add_scope(None, false, self.model.names);
                self.model.add(id, None, false, false);
            }
            Operation::AddTask(scope) => {
                let scope = self.model.pick(scope, false)?;
                let id = self.tree.add_task(self.model.nodes[&scope].id, self.model.names);
                self.model.add(id, Some(scope), true, false);
                // A leaf that is born cancelled is nobody to interrupt.
                let hits = self.model.settle();
                assert!(hits.iter().all(|&hit| hit == id));
            }
            Operation::Enter { task, shield } => self.enter(self.model.pick(task, true)?, shield),
            Operation::Leave(task) => self.leave(self.model.pick(task, true)?),
            Operation::Close(scope) => self.close(self.model.pick(scope, false)?),
            Operation::Cancel(scope) => {
                let scope = self.model.pick(scope, false)?;
                self.reasons += 1;
                let reason = self.reasons;
                let node = self.model.node(scope);
                node.cancelled = true;
                node.reason.get_or_insert(reason);
                self.tree.cancel(node.id, reason, &mut self.change);
            }
            Operation::SetShield(scope, shield) => {
                let scope = self.model.pick(scope, false)?;
                let node = self.model.node(scope);
                node.shield = shield;
                self.tree.set_shield(node.id, shield, &mut self.change);
            }
            Operation::RemoveTask(task) => {
                let task = self.model.pick(task, true)?;
                self.model.unlink(task);
                let node = self.model.nodes.remove(&task)?;
                assert_eq!(self.tree.remove_task(node.id, &mut self.change), Some(task));
                assert_eq!(self.tree.remove_task(node.id, &mut self.change), None);
            }
            Operation::MoveTask(task, scope) => {
                let (task, scope) = (self.model.pick(task, true)?, self.model.pick(scope, false)?);
                if self.model.nodes[&task].parent == Some(scope) {
                    return None; // nobody moves where he is already
                }
                let (task_id, scope_id) = (self.model.nodes[&task].id, self.model.nodes[&scope].id);
                self.model.unlink(task);
                self.model.node(task).parent = Some(scope);
                self.tree.move_into(task_id, scope_id, &mut self.change);
            }
        }
        Some(())
    }

    fn enter(&mut self, task: u32, shield: bool) {
        let outer = self.model.nodes[&task].parent;
        let name = self.model.names;
        let id = self.tree.enter(self.model.nodes[&task].id, shield, name, &mut self.change);
        self.model.add(id, outer, false, shield);
        self.model.node(task).parent = Some(name);
        let was_effective = self.model.nodes[&task].effective;
        let hits = self.model.settle();
        assert!(hits.is_empty() || !was_effective);
    }

    /// The short way out of the innermost scope, which is there for the ordinary case only.
    fn leave(&mut self, task: u32) {
        let Some(scope) = self.model.nodes[&task].parent else { return };
        let (task_id, node) = (self.model.nodes[&task].id, self.model.nodes[&scope].clone());
        let ordinary = self.model.children(scope) == [task]
            && !node.effective
            && !node.abandoned
            && node.parent.is_some()
            && !self.model.is_effective(node.parent);
        assert_eq!(self.tree.leave(task_id, node.id), ordinary.then_some(scope));
        if ordinary {
            self.model.nodes.remove(&scope);
            self.model.node(task).parent = node.parent;
        }
    }

    fn close(&mut self, scope: u32) {
        let id = self.model.nodes[&scope].id;
        self.model.unlink(scope);
        let empty = self.model.children(scope).is_empty();
        if empty {
            self.model.nodes.remove(&scope);
        } else {
            let node = self.model.node(scope);
            node.cancelled = true;
            node.reason.get_or_insert(MISNESTED);
            self.model.abandon(scope);
        }
        let owner = self.tree.close(id, || MISNESTED, &mut self.change);
        assert_eq!(owner, empty.then_some(scope));
    }

    fn compare(&mut self) {
        let key = |id: &NodeId| id.to_bits();
        let mut expected = self.model.settle();
        let mut hits = std::mem::take(&mut self.change.hits);
        expected.sort_unstable_by_key(key);
        hits.sort_unstable_by_key(key);
        assert_eq!(hits, expected, "tasks that have become cancelled");
        let mut owners = std::mem::take(&mut self.change.owners);
        owners.sort_unstable();
        self.model.vanished.sort_unstable();
        assert_eq!(
            owners,
            std::mem::take(&mut self.model.vanished),
            "owners of scopes that have gone"
        );
        for (name, node) in &self.model.nodes {
            assert_eq!(self.tree.is_effective(node.id), node.effective, "node {name}");
            let parent = node.parent.map(|parent| self.model.nodes[&parent].id);
            assert_eq!(self.tree.parent(node.id), parent, "node {name}");
            if node.is_task {
                assert_eq!(self.tree.task(node.id), Some(name));
                let reason = node.parent.and_then(|parent| self.model.nodes[&parent].reason);
                assert_eq!(self.tree.reason(node.id).copied(), reason, "task {name}");
            } else {
                assert_eq!(self.tree.owner(node.id), Some(name));
                assert_eq!(self.tree.reason(node.id).copied(), node.reason, "scope {name}");
                assert_eq!(self.tree.is_abandoned(node.id), node.abandoned, "scope {name}");
                let outside = !node.shield && self.model.is_effective(node.parent);
                assert_eq!(self.tree.sees_outer_cancellation(node.id), outside, "scope {name}");
            }
        }
        let tasks = self.model.nodes.values().filter(|node| node.is_task).count();
        assert_eq!(self.tree.tasks().count(), tasks);
        assert_eq!(self.tree.owners().count(), self.model.nodes.len() - tasks);
    }
}

proptest! {
    #[test]
    fn cancel_tree(operations in prop::collection::vec(operation(), 1..120)) {
        let mut pair = Pair::default();
        pair.perform(&Operation::AddRoot);
        pair.compare();
        for operation in &operations {
            pair.perform(operation);
            pair.compare();
        }
    }
}
