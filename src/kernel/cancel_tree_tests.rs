//! Tests of the tree of cancel scopes.

use super::{CancelTree, Change};

type Tree = CancelTree<&'static str, u8, &'static str>;

#[test]
fn cancellation_reaches_leaves_below_except_behind_shields() {
    let mut tree = Tree::default();
    let mut change = Change::default();
    let root = tree.add_scope(None, false, 0);
    let open = tree.add_task(root, "open");
    let shield = tree.add_scope(Some(root), true, 0);
    let safe = tree.add_task(shield, "safe");
    tree.cancel(root, "why", &mut change);
    assert_eq!(change.hits, [open]);
    assert!(tree.is_effective(open) && !tree.is_effective(safe));
    assert_eq!(tree.reason(open), Some(&"why"));
    assert!(!tree.sees_outer_cancellation(shield));

    change.hits.clear();
    tree.set_shield(shield, false, &mut change);
    assert_eq!(change.hits, [safe]);
    assert_eq!(tree.reason(safe), Some(&"why"));
    assert!(tree.sees_outer_cancellation(shield));
}

#[test]
fn the_first_reason_wins() {
    let mut tree = Tree::default();
    let mut change = Change::default();
    let root = tree.add_scope(None, false, 0);
    let inner = tree.add_scope(Some(root), false, 0);
    tree.cancel(root, "outer", &mut change);
    tree.cancel(inner, "inner", &mut change);
    assert_eq!(tree.reason(inner), Some(&"outer"));
    assert_eq!(change.released, ["inner"]);
}

#[test]
fn entering_and_leaving_restores_the_tree() {
    let mut tree = Tree::default();
    let mut change = Change::default();
    let root = tree.add_scope(None, false, 0);
    let task = tree.add_task(root, "t");
    let scope = tree.enter(task, false, 7, &mut change);
    assert_eq!(tree.parent(task), Some(scope));
    assert!(tree.is_inside(task, root));
    tree.move_into(task, root, &mut change);
    assert_eq!(tree.owner(scope), Some(&7));
    assert_eq!(tree.close(scope, || "misnested", &mut change), Some(7));
    assert_eq!(tree.parent(task), Some(root));
    assert_eq!(tree.parent(scope), None);
    assert!(change.hits.is_empty());
    assert_eq!(tree.remove_task(task, &mut change), Some("t"));
}

#[test]
fn leaving_the_short_way_needs_an_ordinary_case() {
    let mut tree = Tree::default();
    let mut change = Change::default();
    let root = tree.add_scope(None, false, 0);
    let first = tree.add_task(root, "first");
    let task = tree.add_task(root, "t");
    let last = tree.add_task(root, "last");
    let scope = tree.enter(task, false, 7, &mut change);
    assert!(tree.is_inside(task, scope));
    assert_eq!(tree.leave(task, scope), Some(7));
    for leaf in [first, task, last] {
        assert_eq!(tree.parent(leaf), Some(root));
    }
    let scope = tree.enter(task, false, 7, &mut change);
    let other = tree.add_task(scope, "other");
    assert_eq!(tree.leave(task, scope), None);
    assert_eq!(tree.remove_task(other, &mut change), Some("other"));
    tree.cancel(root, "r", &mut change);
    assert_eq!(change.hits.len(), 3);
    assert_eq!(tree.leave(task, scope), None);
}

#[test]
fn what_is_left_inside_a_closed_scope_is_abandoned_and_cancelled() {
    let mut tree = Tree::default();
    let mut change = Change::default();
    let root = tree.add_scope(None, false, 0);
    let outer = tree.add_scope(Some(root), false, 0);
    let inner = tree.add_scope(Some(outer), false, 0);
    let task = tree.add_task(inner, "t");
    tree.close(outer, || "misnested", &mut change);
    assert!(tree.is_abandoned(inner));
    assert_eq!(change.hits, [task]);
    tree.move_into(task, root, &mut change);
    assert!(!tree.is_effective(task));
    tree.close(inner, || "misnested", &mut change);
    assert_eq!(tree.parent(inner), None);
    assert!(!tree.is_effective(outer), "the cut-off root left with its last child");
}

#[test]
fn moving_into_a_cancelled_scope_hits() {
    let mut tree = Tree::default();
    let mut change = Change::default();
    let calm = tree.add_scope(None, false, 0);
    let storm = tree.add_scope(None, false, 0);
    let task = tree.add_task(calm, "t");
    tree.cancel(storm, "r", &mut change);
    tree.move_into(task, storm, &mut change);
    assert_eq!(change.hits, [task]);
    assert_eq!(tree.tasks().count(), 1);
    assert_eq!(tree.owners().count(), 2);
    assert_eq!(tree.visible_scopes(task), [storm]);
    assert_eq!(tree.task(task), Some(&"t"));
}

#[test]
fn a_scope_that_is_due_keeps_its_own_reason() {
    let mut tree = Tree::default();
    let mut change = Change::default();
    let root = tree.add_scope(None, false, 0);
    let due = tree.add_scope(Some(root), false, 1);
    let shield = tree.add_scope(Some(root), true, 0);
    let behind = tree.add_scope(Some(shield), false, 1);
    let task = tree.add_task(due, "t");
    let expired = tree.expire_below(root, true, |owner| *owner == 1, || "due");
    assert_eq!(expired, [due]);
    tree.cancel(root, "outer", &mut change);
    assert_eq!(change.hits, [task]);
    assert_eq!(tree.reason(task), Some(&"due"));
    assert!(!tree.is_effective(behind));
}
