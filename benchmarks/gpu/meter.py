"""Measurements of launches, waits and memory on a GPU, with a counterpart on the CPU for tests."""

import gc
import platform
import resource
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import version

import torch
from torch import Tensor, nn

from benchmarks.operations import Operations
from oneshot.training.environment import get_device

MIB = 2**20
_LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")  # also with a suffix, as in ...ExC


class Meter(ABC):
    """Measurements of a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @property
    @abstractmethod
    def without_bf16(self) -> str | None:
        """The reason why bfloat16 cannot be measured; None if it can."""

    @abstractmethod
    def conditions(self) -> dict[str, str]:
        """Return the name of the device and the versions of driver and packages."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait for the device."""

    @abstractmethod
    def allocated(self) -> float:
        """Return the memory of all tensors on the device, in MiB."""

    @abstractmethod
    def reset_peak(self) -> None:
        """Measure the peak from now on."""

    @abstractmethod
    def peak(self) -> float:
        """Return the peak memory, in MiB."""

    @abstractmethod
    def launches(self, step: Callable[[], object]) -> int:
        """Return the number of kernels or graphs that a step launches."""

    @abstractmethod
    def waits(self, step: Callable[[], object]) -> int:
        """Return how often the host waits for the device in a step."""

    def release(self) -> None:
        """Release unused memory."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class CudaMeter(Meter):
    """Measurements of a GPU."""

    @property
    def without_bf16(self) -> str | None:
        major, minor = torch.cuda.get_device_capability(self.device)
        if major >= 8:  # older GPUs only emulate it
            return None
        return f"bfloat16 needs compute capability 8.0; this GPU has {major}.{minor}"

    def conditions(self) -> dict[str, str]:
        properties = torch.cuda.get_device_properties(self.device)
        return {
            "GPU": f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB",
            "capability": f"{properties.major}.{properties.minor}",
            "driver": _driver(),
            "CUDA": str(torch.version.cuda),
            "cuDNN": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]  # torch's
        } | _versions()

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)

    def allocated(self) -> float:
        return torch.cuda.memory_allocated(self.device) / MIB

    def reset_peak(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> float:
        return torch.cuda.max_memory_allocated(self.device) / MIB

    def launches(self, step: Callable[[], object]) -> int:
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
            step()
            self.synchronize()
        return sum(event.name.startswith(_LAUNCHES) for event in profiled.events() or ())

    def waits(self, step: Callable[[], object]) -> int:
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as raised:
                warnings.simplefilter("always")
                step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchronizing" in str(warning.message) for warning in raised)


class CpuMeter(Meter):
    """Measurements of the CPU, with operations that torch dispatches instead of launches."""

    @property
    def without_bf16(self) -> str | None:
        return None

    def conditions(self) -> dict[str, str]:
        return {"GPU": "none: CPU", "machine": platform.machine()} | _versions()

    def synchronize(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def allocated(self) -> float:
        # not subclasses, because the tensors of torch's compiler have no memory
        tensors = [each for each in gc.get_objects() if type(each) in (Tensor, nn.Parameter)]
        storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}
        return float(sum(storages.values()) / MIB)

    def reset_peak(self) -> None:
        """Do nothing: the peak of a process cannot be reset."""

    def peak(self) -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def launches(self, step: Callable[[], object]) -> int:
        with Operations() as seen:
            step()
        return len(seen.work)

    def waits(self, step: Callable[[], object]) -> int:
        """Return the number of values that a step reads, including the step counters of Adam."""
        with Operations() as seen:
            step()
        return len(seen.waits)


def get_meter(name: str) -> Meter:
    """Return the measurements of a device; raise DeviceError if it does not exist."""
    device = get_device(name)
    return CudaMeter(device) if device.type == "cuda" else CpuMeter(device)


def _versions() -> dict[str, str]:
    names = ("torch", "torchvision", "numpy", "h5py")
    return {"Python": platform.python_version()} | {name: version(name) for name in names}


def _driver() -> str:
    """Return the version of the driver, as Linux reports it."""
    try:
        with open("/proc/driver/nvidia/version") as file:
            return file.readline().split("Module", 1)[-1].split("(")[0].strip()
    except OSError:
        return "unknown"
