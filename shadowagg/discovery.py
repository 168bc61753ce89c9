"""Entry points -> registry. A broken plugin is listed with its reason, and stops nobody else.

pluggy's own loader stops at the first plugin that fails to import and skips a name that is taken
twice without a word; so this is a loop of our own over the entry points.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import pluggy

from shadowagg import hookspecs
from shadowagg.errors import UserError
from shadowagg.provider import CONTRACT_VERSION, Provider, Stage
from shadowagg.rowset import RowSetSpec

__all__ = ["DISABLED", "Failure", "Registered", "Registry", "discover", "registry"]

DISABLED = "SHADOWAGG_DISABLED_PLUGINS"
"""Environment variable: names of entry points, separated by commas, that are not loaded."""

_LOG = logging.getLogger("shadowagg")

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")


@dataclass(frozen=True, slots=True)
class Registered:
    """A provider and where it came from."""

    provider: Provider
    entry_point: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin that could not be loaded, or a provider that was refused.

    Args:
        entry_point: its name in the group `shadowagg.plugins`.
        distribution: the distribution that declares it.
        version: of the distribution.
        reason: one line.
        detail: the traceback, where the plugin raised.
    """

    entry_point: str
    distribution: str
    version: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Registry:
    """What is installed."""

    registered: Mapping[str, Registered]
    failures: tuple[Failure, ...]
    hooks: pluggy.HookRelay = field(repr=False)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """All providers, each behind those that it needs, otherwise by name."""
        ordered: dict[str, Provider] = {}

        def place(name: str, path: tuple[str, ...]) -> None:
            if name in ordered or name not in self.registered or name in path:
                return
            provider = self.registered[name].provider
            for needed in provider.needs:
                place(needed, (*path, name))
            ordered[name] = provider

        for name in sorted(self.registered):
            place(name, ())
        return tuple(ordered.values())

    def provider(self, name: str) -> Provider:
        """The provider of that name or alias.

        Raises:
            UserError: naming what there is, and what failed to load.
        """
        if name in self.registered:
            return self.registered[name].provider
        for provider in self.providers:
            if name in provider.aliases:
                return provider
        failed = [f"{failure.entry_point} ({failure.reason})" for failure in self.failures]
        raise UserError(
            f"no provider {name!r}; installed: {', '.join(sorted(self.registered)) or 'none'}"
            + (f"; failed to load: {', '.join(failed)}" if failed else ""),
            on="providers",
            hint="see `shadowagg providers`",
        )

    def stage(self, name: str) -> Stage:
        """The stage `provider:stage`."""
        provider_name, _, stage_name = name.partition(":")
        provider = self.provider(provider_name)
        for stage in provider.stages:
            if stage.name == stage_name:
                return stage
        raise UserError(
            f"no stage {stage_name!r}; there are {', '.join(s.name for s in provider.stages)}",
            on=f"provider {provider.name}",
            hint="write PROVIDER:STAGE",
        )

    def spec(self, name: str) -> RowSetSpec:
        """The row-set specification `provider:stage`."""
        return self.stage(name).spec

    def notify(self, hook: str, **arguments: object) -> None:
        """Call an observing hook; what an implementation raises is logged and changes nothing."""
        for implementation in getattr(self.hooks, hook).get_hookimpls():
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            # An observer is foreign code, and the run it observes is over.
            except Exception:  # noqa: BLE001 - reported, with its traceback
                _LOG.exception("hook failed", extra={"plugin": implementation.plugin_name})


@cache
def registry() -> Registry:
    """The registry of this process, made when first asked for."""
    return discover(entry_points(group=hookspecs.GROUP))


def discover(points: Iterable[EntryPoint]) -> Registry:
    """Load plugins and collect what they register.

    Args:
        points: entry points; each names a module or an object with hook implementations.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    registered: dict[str, Registered] = {}
    failures: list[Failure] = []
    disabled = {name.strip() for name in os.environ.get(DISABLED, "").split(",")}
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        if point.name in disabled:
            continue
        failures.extend(_load(point, manager, registered))
    return Registry(registered, tuple(failures), manager.hook)


def _load(
    point: EntryPoint, manager: pluggy.PluginManager, registered: dict[str, Registered]
) -> Iterable[Failure]:
    distribution = point.dist.name if point.dist else "unknown"
    version = point.dist.version if point.dist else "unknown"

    def failure(reason: str, detail: str = "") -> Failure:
        return Failure(point.name, distribution, version, reason, detail)

    if manager.has_plugin(point.name):
        yield failure("another plugin has this name")
        return
    offered: list[Provider] = []
    plugin: object | None = None
    try:
        plugin = point.load()
        manager.register(plugin, name=point.name)
        manager.check_pending()
        others = [other for other in manager.get_plugins() if other is not plugin]
        call = manager.subset_hook_caller("shadowagg_register_providers", remove_plugins=others)
        call(register=offered.append)
    # A plugin is foreign code: whatever it raises, SystemExit at import too, is its own failure.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        if plugin is not None and manager.is_registered(plugin):
            manager.unregister(plugin)
        yield failure(f"{type(error).__name__}: {error}".splitlines()[0], traceback.format_exc())
        return
    for provider in offered:
        reason = _objection(provider, registered)
        if reason:
            yield failure(reason)
        else:
            registered[provider.name] = Registered(provider, point.name, distribution, version)


def _objection(provider: object, registered: Mapping[str, Registered]) -> str:
    """Why a provider is refused; empty if it is not."""
    contract = getattr(provider, "contract_version", None)
    if contract != CONTRACT_VERSION:
        return f"written for contract version {contract}, this is version {CONTRACT_VERSION}"
    if not isinstance(provider, Provider):
        missing = [name for name in _MEMBERS if not hasattr(provider, name)]
        return f"not a provider: {', '.join(missing)} missing"
    if not _NAME.match(provider.name):
        return f"{provider.name!r} is no provider name: lower case, digits, hyphens"
    taken = {
        name: other
        for other in registered.values()
        for name in (other.provider.name, *other.provider.aliases)
    }
    for name in (provider.name, *provider.aliases):
        if name in taken:
            other = taken[name]
            return (
                f"the name {name!r} is taken by {other.provider.name} of {other.distribution} "
                f"{other.version}"
            )
    wrong = [s.spec.name for s in provider.stages if s.spec.name != f"{provider.name}:{s.name}"]
    if wrong:
        return f"specifications must be named provider:stage: {', '.join(wrong)}"
    return ""


_MEMBERS = tuple(name for name in vars(Provider) if not name.startswith("_"))
