"""Registries of kinds, each of which names the module that defines it, and plug-in files that add kinds."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from nestmat.errors import InputError

T = TypeVar("T")
_loading: list[Path] = []


class Registry(Generic[T], Mapping[str, T]):
    """What there is of one sort, by kind. The module of a kind is imported when the kind is first looked up.

    A registry holds names of modules and not the modules, so that a program that uses one kind depends on the
    file of that kind alone. The module registers what it defines with `register`.

    Args:
        noun: What the registry holds, in the singular, for messages: ``search method``.
        modules: Module that defines each kind, in the order of the reference.

    Example:
        >>> shapes = Registry("shape", {})
        >>> @shapes.register("circle")
        ... class Circle:
        ...     pass
        >>> shapes["circle"] is Circle, list(shapes)
        (True, ['circle'])
    """

    def __init__(self, noun: str, modules: Mapping[str, str]):
        self.noun, self._modules = noun, dict(modules)
        self._entries: dict[str, T] = {}
        self._files: dict[str, Path] = {}

    def register(self, kind: str) -> Callable[[T], T]:
        """Decorator that adds a class, a function or an object as a kind.

        Args:
            kind: Name in a study.

        Raises:
            InputError: A plug-in file adds a kind that there is already.
        """

        def add(entry: T) -> T:
            file = _loading[-1] if _loading else None
            if file and (kind in self._modules or self._files.get(kind, file) != file):
                raise InputError(
                    f"The plug-in adds the {self.noun} {kind!r}, which there is already.",
                    file=file,
                    remedy="choose another name.",
                )
            self._entries[kind] = entry
            if file:
                self._files[kind] = file
            return entry

        return add

    def __getitem__(self, kind: str) -> T:
        """The entry of a kind.

        Raises:
            InputError: There is no such kind.
        """
        if kind not in self:
            raise InputError(
                f"There is no {self.noun} {kind!r}.",
                value=kind,
                remedy=f"choose one of {', '.join(self)}, or name the plug-in file that adds it.",
            )
        if kind not in self._entries:
            importlib.import_module(self._modules[kind])
        return self._entries[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._modules or kind in self._entries

    def __iter__(self) -> Iterator[str]:
        yield from self._modules
        yield from (kind for kind in self._entries if kind not in self._modules)

    def __len__(self) -> int:
        return len({*self._modules, *self._entries})

    def kind_of(self, entry: T) -> str:
        """The kind under which an entry is registered.

        Raises:
            InputError: The entry is not registered.
        """
        for kind, registered in self._entries.items():
            if registered is entry:
                return kind
        raise InputError(
            f"{getattr(entry, '__name__', entry)} is not registered as a {self.noun}.",
            remedy="register it under the name of its kind.",
        )

    def source(self, kind: str) -> str | Path:
        """Where a kind is defined: the name of a module of the library, or a plug-in file.

        Raises:
            InputError: As `__getitem__`.
        """
        if kind in self._modules:
            return self._modules[kind]
        entry = self[kind]
        return self._files.get(kind) or str(getattr(entry, "__module__", ""))


def load_plugins(files: Iterable[str | Path]) -> None:
    """Import plug-in files, each once a process; what they register is there afterwards.

    Args:
        files: Python files, relative to the working directory.

    Raises:
        InputError: A file is missing or fails while it is imported.
    """
    for file in files:
        path = Path(file).resolve()
        name = f"nestmat_plugin_{path.stem}"
        loaded = sys.modules.get(name)
        if loaded is not None and loaded.__file__ == str(path):
            continue
        if loaded is not None:
            raise InputError(
                f"Two plug-in files are named {path.name}: {loaded.__file__} and {path}.",
                file=file,
                remedy="rename one of them.",
            )
        if not path.is_file():
            raise InputError(
                f"The plug-in file does not exist below the working directory, {Path.cwd()}.",
                file=file,
                remedy="correct the key `plugins`, or run in the folder that its paths are relative to.",
            )
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise InputError("A plug-in file is a Python file.", file=file, remedy="name it *.py.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        _loading.append(path)
        try:
            spec.loader.exec_module(module)
        except InputError:
            del sys.modules[name]
            raise
        except Exception as error:
            del sys.modules[name]
            raise InputError(
                f"The plug-in file cannot be imported: {type(error).__name__}: {error}",
                file=file,
                remedy="run the file with Python to see where it fails.",
            ) from error
        finally:
            _loading.pop()
