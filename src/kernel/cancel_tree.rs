//! The tree of cancel scopes, with the tasks as its leaves.
//!
//! A scope node is *cancelled* once somebody cancelled it, and *effectively cancelled* if it is
//! cancelled itself or sits, unshielded, below an effectively cancelled scope. A task leaf copies the
//! effective state of the scope it is directly inside, so that the question every checkpoint asks is
//! answered by one flag. Cancellation is level-triggered: the flag stays up for as long as the task is
//! inside, and each change reports the leaves whose flag went up (`Change::hits`), once.
//!
//! Scopes normally close in the reverse order of entry. If one closes while others are still inside,
//! the rest of the subtree is cut off, counts as cancelled, and is marked *abandoned*, so that its own
//! later exits do not disturb the scopes that are in order. The cut-off root disappears with its last
//! child.
//!
//! Invariants: `effective` of every node agrees with the rule above; children lists are doubly linked
//! and mirror `parent`; nothing stored is dropped here (reasons leave through `Change::released`).

use super::slab::{Slab, SlabKey};

/// Names a node of a [`CancelTree`].
pub type NodeId = SlabKey;

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Scope<S, R> {
    owner: S,
    cancelled: bool,
    shield: bool,
    abandoned: bool,
    reason: Option<R>,
}

#[derive(Debug)]
enum Kind<T, S, R> {
    Scope(Scope<S, R>),
    Task(T),
}

#[derive(Debug)]
struct Node<T, S, R> {
    parent: u32,
    first_child: u32,
    prev: u32,
    next: u32,
    effective: bool,
    kind: Kind<T, S, R>,
}

/// What a change of the tree brought about, to be acted on once the tree is no longer borrowed.
#[derive(Debug)]
pub struct Change<S, R> {
    /// Task leaves that have just become effectively cancelled.
    pub hits: Vec<NodeId>,
    /// Reasons that nobody needs any more.
    pub released: Vec<R>,
    /// Owners of abandoned scopes that have disappeared.
    pub owners: Vec<S>,
}

impl<S, R> Default for Change<S, R> {
    fn default() -> Self {
        Self { hits: Vec::new(), released: Vec::new(), owners: Vec::new() }
    }
}

/// The tree (a forest while abandoned parts linger). `T` is what a task leaf holds, `S` what a scope
/// node stands for, `R` the reason for a cancellation, which children take over from their parents.
#[derive(Debug)]
pub struct CancelTree<T, S, R> {
    nodes: Slab<Node<T, S, R>>,
}

impl<T, S, R> Default for CancelTree<T, S, R> {
    fn default() -> Self {
        Self { nodes: Slab::default() }
    }
}

impl<T, S, R: Clone> CancelTree<T, S, R> {
    /// Adds a scope below `parent` (or a root).
    pub fn add_scope(&mut self, parent: Option<NodeId>, shield: bool, owner: S) -> NodeId {
        let scope = Scope { owner, cancelled: false, shield, abandoned: false, reason: None };
        self.add(parent, Kind::Scope(scope))
    }

    /// Adds a task directly inside `scope`.
    pub fn add_task(&mut self, scope: NodeId, task: T) -> NodeId {
        self.add(Some(scope), Kind::Task(task))
    }

    fn add(&mut self, parent: Option<NodeId>, kind: Kind<T, S, R>) -> NodeId {
        let node = Node {
            parent: NONE,
            first_child: NONE,
            prev: NONE,
            next: NONE,
            effective: false,
            kind,
        };
        let id = self.nodes.insert(node);
        if let Some(parent) = parent.filter(|parent| self.nodes.get(*parent).is_some()) {
            self.link(id.index, parent.index);
            let inherited = self.derive_effective(id.index);
            self.nodes.at_mut(id.index).effective = inherited;
            if inherited {
                self.inherit_reason(id.index);
            }
        }
        id
    }

    /// Takes a task leaf out of the tree.
    pub fn remove_task(&mut self, id: NodeId, change: &mut Change<S, R>) -> Option<T> {
        self.nodes.get(id)?;
        self.unlink(id.index, change);
        match self.nodes.remove(id)?.kind {
            Kind::Task(task) => Some(task),
            Kind::Scope(_) => None,
        }
    }

    /// Moves a node (and what is below it) into another scope.
    pub fn move_into(&mut self, id: NodeId, scope: NodeId, change: &mut Change<S, R>) {
        if self.nodes.get(id).is_none() || self.nodes.get(scope).is_none() {
            return;
        }
        self.unlink(id.index, change);
        self.link(id.index, scope.index);
        self.refresh(id.index, change);
    }

    /// Moves everything that is directly inside `from`, except the node `but`, into `to`.
    pub fn move_children(
        &mut self,
        from: NodeId,
        to: NodeId,
        but: Option<NodeId>,
        change: &mut Change<S, R>,
    ) {
        let Some(node) = self.nodes.get(from) else { return };
        let mut child = node.first_child;
        while child != NONE {
            let next = self.nodes.at(child).next;
            let id = self.nodes.key_at(child);
            if Some(id) != but {
                self.move_into(id, to, change);
            }
            child = next;
        }
    }

    /// Enters a new scope for the task leaf `task`: it now stands between the task and its scope.
    pub fn enter(
        &mut self,
        task: NodeId,
        shield: bool,
        owner: S,
        change: &mut Change<S, R>,
    ) -> NodeId {
        let outer = self.parent(task);
        if !outer.is_some_and(|outer| self.is_effective(outer)) {
            // Nothing is cancelled here, so the new scope can simply take the leaf's place.
            return self.interpose(task.index, shield, owner);
        }
        let scope = self.add_scope(outer, shield, owner);
        self.move_into(task, scope, change);
        scope
    }

    /// Puts a new scope between a leaf and the scope that the leaf is in, which is not cancelled.
    fn interpose(&mut self, leaf: u32, shield: bool, owner: S) -> NodeId {
        let Node { parent, prev, next, .. } = *self.nodes.at(leaf);
        let scope = Scope { owner, cancelled: false, shield, abandoned: false, reason: None };
        let kind = Kind::Scope(scope);
        let id = self.nodes.insert(Node {
            parent,
            first_child: leaf,
            prev,
            next,
            effective: false,
            kind,
        });
        self.replace_in_list(parent, prev, next, id.index);
        let node = self.nodes.at_mut(leaf);
        node.parent = id.index;
        node.prev = NONE;
        node.next = NONE;
        id
    }

    /// Leaves a scope in which the leaf is alone, and which nobody has cancelled or will miss: the
    /// reverse of [`CancelTree::enter`] in the ordinary case. Hands the scope's owner out, or nothing
    /// if the case is not ordinary and the scope has to be left the long way.
    pub fn leave(&mut self, leaf: NodeId, scope: NodeId) -> Option<S> {
        let Node { first_child, parent, prev, next, effective: false, .. } =
            *self.nodes.get(scope)?
        else {
            return None;
        };
        let alone = first_child == leaf.index && self.nodes.get(leaf)?.next == NONE;
        // A scope that is not cancelled although its surroundings are has a shield.
        if !alone || parent == NONE || self.nodes.at(parent).effective || self.is_abandoned(scope) {
            return None;
        }
        self.replace_in_list(parent, prev, next, leaf.index);
        let node = self.nodes.at_mut(leaf.index);
        node.parent = parent;
        node.prev = prev;
        node.next = next;
        match self.nodes.remove(scope)?.kind {
            Kind::Scope(scope) => Some(scope.owner),
            Kind::Task(_) => None,
        }
    }

    /// Lets `index` stand in the list of children where somebody else stood.
    fn replace_in_list(&mut self, parent: u32, prev: u32, next: u32, index: u32) {
        if prev != NONE {
            self.nodes.at_mut(prev).next = index;
        } else if parent != NONE {
            self.nodes.at_mut(parent).first_child = index;
        }
        if next != NONE {
            self.nodes.at_mut(next).prev = index;
        }
    }

    /// Cancels a scope. Does nothing but note `reason` (if there is none yet) when it is cancelled
    /// already.
    pub fn cancel(&mut self, id: NodeId, reason: R, change: &mut Change<S, R>) {
        let Some(Node { kind: Kind::Scope(scope), .. }) = self.nodes.get_mut(id) else {
            change.released.push(reason);
            return;
        };
        scope.cancelled = true;
        if scope.reason.is_none() {
            scope.reason = Some(reason);
        } else {
            change.released.push(reason);
        }
        self.refresh(id.index, change);
    }

    /// Cancels the scopes that are due and that a change at `top` is going to look at: `top` itself,
    /// and what is inside and not cancelled yet, through scopes that will be. Their own reason is the
    /// one that they keep. `reached` says whether the change cancels `top`. It has to follow, as it
    /// brings `effective` up to date. Returns the scopes that were due.
    pub fn expire_below(
        &mut self,
        top: NodeId,
        reached: bool,
        is_due: impl Fn(&S) -> bool,
        reason: impl Fn() -> R,
    ) -> Vec<NodeId> {
        let mut expired = Vec::new();
        let mut open = vec_of_one(top.index, self.nodes.get(top).is_some());
        while let Some(at) = open.pop() {
            let id = self.nodes.key_at(at);
            let Node { first_child, effective, kind, .. } = self.nodes.at_mut(at);
            let Kind::Scope(scope) = kind else { continue };
            if *effective && id != top {
                continue;
            }
            if !scope.cancelled && is_due(&scope.owner) {
                scope.cancelled = true;
                scope.reason.get_or_insert_with(&reason);
                expired.push(id);
            }
            let is_reached = if id == top { reached } else { !scope.shield };
            if *effective || !(scope.cancelled || is_reached) {
                continue;
            }
            let mut child = *first_child;
            while child != NONE {
                open.push(child);
                child = self.nodes.at(child).next;
            }
        }
        expired
    }

    /// Cancels a scope that has just been entered: its own reason stands, whatever it is inside of.
    pub fn cancel_at_entry(&mut self, id: NodeId, reason: R, change: &mut Change<S, R>) {
        if let Some(Node { kind: Kind::Scope(scope), .. }) = self.nodes.get_mut(id) {
            change.released.extend(scope.reason.take());
        }
        self.cancel(id, reason, change);
    }

    /// Turns the protection of a scope against cancellation from outside on or off.
    pub fn set_shield(&mut self, id: NodeId, shield: bool, change: &mut Change<S, R>) {
        if let Some(Node { kind: Kind::Scope(scope), .. }) = self.nodes.get_mut(id) {
            scope.shield = shield;
            self.refresh(id.index, change);
        }
    }

    /// Removes a scope that is being left, and hands its owner out. What is still inside is
    /// abandoned, cancelled for the reason that `misnested` supplies, and keeps the owner.
    pub fn close(
        &mut self,
        id: NodeId,
        misnested: impl FnOnce() -> R,
        change: &mut Change<S, R>,
    ) -> Option<S> {
        self.nodes.get(id)?;
        self.unlink(id.index, change);
        if self.nodes.at(id.index).first_child == NONE {
            return self.free(id.index, change);
        }
        if let Kind::Scope(scope) = &mut self.nodes.at_mut(id.index).kind {
            scope.cancelled = true;
            scope.reason.get_or_insert_with(misnested);
        }
        self.walk(id.index, |node| {
            if let Kind::Scope(scope) = &mut node.kind {
                scope.abandoned = true;
            }
        });
        self.refresh(id.index, change);
        None
    }

    /// Is the node effectively cancelled? For a leaf: will its next checkpoint raise?
    #[inline]
    pub fn is_effective(&self, id: NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| node.effective)
    }

    /// Was the subtree of this scope cut off by scopes closing in the wrong order?
    pub fn is_abandoned(&self, id: NodeId) -> bool {
        matches!(self.nodes.get(id), Some(Node { kind: Kind::Scope(scope), .. }) if scope.abandoned)
    }

    /// Would the scope's surroundings cancel it too?
    pub fn sees_outer_cancellation(&self, id: NodeId) -> bool {
        let Some(Node { kind: Kind::Scope(scope), parent, .. }) = self.nodes.get(id) else {
            return false;
        };
        !scope.shield && *parent != NONE && self.nodes.at(*parent).effective
    }

    /// Why the node is cancelled: of a leaf, why its scope is.
    pub fn reason(&self, id: NodeId) -> Option<&R> {
        let node = self.nodes.get(id)?;
        match &node.kind {
            Kind::Scope(scope) => scope.reason.as_ref(),
            Kind::Task(_) if node.parent == NONE => None,
            Kind::Task(_) => self.reason(self.nodes.key_at(node.parent)),
        }
    }

    /// The scope around a node.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        let parent = self.nodes.get(id)?.parent;
        (parent != NONE).then(|| self.nodes.key_at(parent))
    }

    /// Is `inner` inside `outer` (or the same)?
    pub fn is_inside(&self, inner: NodeId, outer: NodeId) -> bool {
        let mut at = Some(inner);
        while let Some(id) = at {
            if id == outer {
                return true;
            }
            at = self.parent(id);
        }
        false
    }

    /// What the task leaf holds.
    pub fn task(&self, id: NodeId) -> Option<&T> {
        match &self.nodes.get(id)?.kind {
            Kind::Task(task) => Some(task),
            Kind::Scope(_) => None,
        }
    }

    /// The tasks of all leaves, in no order.
    pub fn tasks(&self) -> impl Iterator<Item = &T> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Task(task) => Some(task),
            Kind::Scope(_) => None,
        })
    }

    /// What the scope stands for.
    pub fn owner(&self, id: NodeId) -> Option<&S> {
        match &self.nodes.get(id)?.kind {
            Kind::Scope(scope) => Some(&scope.owner),
            Kind::Task(_) => None,
        }
    }

    /// What all scopes stand for, in no order.
    pub fn owners(&self) -> impl Iterator<Item = &S> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Scope(scope) => Some(&scope.owner),
            Kind::Task(_) => None,
        })
    }

    /// From a node outwards through all enclosing scopes, as long as the world outside can be felt:
    /// stops behind the first shield.
    pub fn visible_scopes(&self, id: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut at = self.parent(id);
        while let Some(scope_id) = at {
            found.push(scope_id);
            let Some(Node { kind: Kind::Scope(scope), .. }) = self.nodes.get(scope_id) else {
                break;
            };
            if scope.shield {
                break;
            }
            at = self.parent(scope_id);
        }
        found
    }

    fn derive_effective(&self, index: u32) -> bool {
        let node = self.nodes.at(index);
        let outer = node.parent != NONE && self.nodes.at(node.parent).effective;
        match &node.kind {
            Kind::Scope(scope) => scope.cancelled || (outer && !scope.shield),
            Kind::Task(_) => outer,
        }
    }

    fn inherit_reason(&mut self, index: u32) {
        let parent = self.nodes.at(index).parent;
        if parent == NONE {
            return;
        }
        let outer = match &self.nodes.at(parent).kind {
            Kind::Scope(scope) => scope.reason.clone(),
            Kind::Task(_) => None,
        };
        if let Kind::Scope(scope) = &mut self.nodes.at_mut(index).kind {
            if scope.reason.is_none() {
                scope.reason = outer;
            }
        }
    }

    /// Brings `effective` up to date at a node and below, as far down as something changes.
    fn refresh(&mut self, index: u32, change: &mut Change<S, R>) {
        let mut open =
            vec_of_one(index, self.derive_effective(index) != self.nodes.at(index).effective);
        while let Some(at) = open.pop() {
            let now = self.derive_effective(at);
            if now == self.nodes.at(at).effective {
                continue;
            }
            self.nodes.at_mut(at).effective = now;
            if now {
                self.inherit_reason(at);
                if matches!(self.nodes.at(at).kind, Kind::Task(_)) {
                    change.hits.push(self.nodes.key_at(at));
                }
            }
            let mut child = self.nodes.at(at).first_child;
            while child != NONE {
                open.push(child);
                child = self.nodes.at(child).next;
            }
        }
    }

    fn walk(&mut self, index: u32, mut visit: impl FnMut(&mut Node<T, S, R>)) {
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            let node = self.nodes.at_mut(at);
            visit(node);
            let mut child = node.first_child;
            while child != NONE {
                open.push(child);
                child = self.nodes.at(child).next;
            }
        }
    }

    fn link(&mut self, index: u32, parent: u32) {
        let first = std::mem::replace(&mut self.nodes.at_mut(parent).first_child, index);
        if first != NONE {
            self.nodes.at_mut(first).prev = index;
        }
        let node = self.nodes.at_mut(index);
        node.parent = parent;
        node.prev = NONE;
        node.next = first;
    }

    fn unlink(&mut self, index: u32, change: &mut Change<S, R>) {
        let node = self.nodes.at_mut(index);
        let (parent, prev, next) = (node.parent, node.prev, node.next);
        node.parent = NONE;
        if parent == NONE {
            return;
        }
        if prev == NONE {
            self.nodes.at_mut(parent).first_child = next;
        } else {
            self.nodes.at_mut(prev).next = next;
        }
        if next != NONE {
            self.nodes.at_mut(next).prev = prev;
        }
        self.drop_empty_abandoned_root(parent, change);
    }

    fn drop_empty_abandoned_root(&mut self, index: u32, change: &mut Change<S, R>) {
        let node = self.nodes.at(index);
        let abandoned = matches!(&node.kind, Kind::Scope(scope) if scope.abandoned);
        if abandoned && node.parent == NONE && node.first_child == NONE {
            let owner = self.free(index, change);
            change.owners.extend(owner);
        }
    }

    fn free(&mut self, index: u32, change: &mut Change<S, R>) -> Option<S> {
        let key = self.nodes.key_at(index);
        match self.nodes.remove(key)?.kind {
            Kind::Scope(scope) => {
                change.released.extend(scope.reason);
                Some(scope.owner)
            }
            Kind::Task(_) => None,
        }
    }
}

/// An empty vector, which costs no allocation, unless there is something to put in.
fn vec_of_one(index: u32, wanted: bool) -> Vec<u32> {
    if wanted {
        vec![index]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
#[path = "cancel_tree_tests.rs"]
mod tests;
