"""A Keras model as a flat list of calls: models inside models, and shared layers, are unfolded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Slot = tuple[Any, int]
"""A node (None: the model's input) and the number of one of its outputs."""


@dataclass(frozen=True, eq=False)
class Node:
    """One call of a layer or operation.

    Attributes:
        operation: The Keras layer or operation.
        path: Its name, preceded by the names of the models that it is in.
        within: Those models.
        call: Keras's record of the call.
        slots: Where each symbolic tensor among the call's arguments comes from, by its id.
    """

    operation: Any
    path: tuple[str, ...]
    within: tuple[Any, ...]
    call: Any
    slots: Mapping[int, Slot]

    @property
    def parents(self) -> list[Node]:
        """The nodes whose outputs it reads."""
        return [node for node, _ in self.slots.values() if node is not None]

    def arguments(self, values: Mapping[Slot, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and named arguments of the call for given values of the slots."""
        filled = {key: values[slot] for key, slot in self.slots.items()}
        args, kwargs = self.call.arguments.fill_in(filled)
        return tuple(args), dict(kwargs)


def flatten(model: Any) -> list[Node]:
    """Return the calls of a functional or sequential Keras model, in order of computation.

    Raises ValueError if the model has several inputs.
    """
    start = _functional(model)
    if start is None:
        raise ValueError("it is neither a functional nor a sequential model that has been built")
    if len(start.inputs) != 1:
        raise ValueError(f"it has {len(start.inputs)} inputs")
    nodes: list[Node] = []
    _walk(start, [(None, 0)], (), nodes)
    return nodes


def find_node(nodes: Sequence[Node], operation: Any) -> Node:
    """Return the first call of a layer, or the last one inside of a sequential model."""
    for node in nodes:
        if node.operation is operation:
            return node
    return [node for node in nodes if operation in node.within][-1]


def name_nodes(nodes: Sequence[Node]) -> dict[str, Node]:
    """Return nodes by name: their own if only one has it, else with the models around it.

    Further calls of one layer are numbered.
    """
    own = Counter(node.path[-1] for node in nodes)
    named: dict[str, Node] = {}
    for node in nodes:
        name = node.path[-1] if own[node.path[-1]] == 1 else "/".join(node.path)
        count = 2
        unique = name
        while unique in named:
            unique, count = f"{name}_call{count}", count + 1
        named[unique] = node
    return named


def _functional(model: Any) -> Any:
    """Return the functional model that is, or is behind, a model; None if there is none."""
    behind = getattr(model, "_functional", None)
    if behind is not None:
        return behind
    return model if hasattr(model, "_nodes_by_depth") else None


def _walk(
    model: Any, inputs: Sequence[Slot], within: tuple[Any, ...], nodes: list[Node]
) -> list[Slot]:
    """Append the calls of a model to ``nodes`` and return the slots of its outputs."""
    known = {id(tensor): slot for tensor, slot in zip(model.inputs, inputs, strict=True)}
    for call in _ordered_calls(model):
        operation = call.operation
        slots = {id(tensor): known[id(tensor)] for tensor in call.arguments.keras_tensors}
        inner = _functional(operation)
        if inner is not None:
            given = [known[id(tensor)] for tensor in call.arguments.keras_tensors]
            found = _walk(inner, given[: len(inner.inputs)], (*within, operation), nodes)
        else:
            path = tuple(each.name for each in (*within, operation))
            node = Node(operation, path, within, call, slots)
            nodes.append(node)
            found = [(node, number) for number in range(len(call.outputs))]
        known |= {id(tensor): slot for tensor, slot in zip(call.outputs, found, strict=True)}
    return [known[id(tensor)] for tensor in model.outputs]


def _ordered_calls(model: Any) -> Iterator[Any]:
    """Yield the calls of a model such that each comes after what it reads."""
    depths = model._nodes_by_depth.values()
    own = {id(call) for calls in depths for call in calls}
    ready = {id(tensor) for tensor in model.inputs}
    # In the order of the operations; a layer that is called again waits for another turn.
    waiting = [
        call
        for operation in model.operations
        for call in operation._inbound_nodes
        if id(call) in own and not call.is_input
    ]
    while waiting:
        later = []
        for call in waiting:
            if all(id(tensor) in ready for tensor in call.arguments.keras_tensors):
                ready |= {id(tensor) for tensor in call.outputs}
                yield call
            else:
                later.append(call)
        if len(later) == len(waiting):
            raise ValueError("its layers cannot be put in order")
        waiting = later
