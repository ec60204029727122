"""One search step of NAS-Bench-201's supernet, beside plain modules (`python -m benchmarks.supernet`)."""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.timing import in_turn, print_conditions, print_times
from nasbench.console import print_table

RUNS = 5
BATCH = 64
CHANNELS = (16, 32, 64)
CELLS = 5  # a stage


# The supernet as one writes it first: every candidate of every edge a module, weighted and added


def conv(c_in, c_out, kernel, stride=1):
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(c_out, affine=False, track_running_stats=False),
    )


class Nothing(nn.Module):
    def forward(self, x):
        return x.mul(0.0)


class PlainCell(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleList(
                [
                    Nothing(),
                    nn.Identity(),
                    conv(c, c, 1),
                    conv(c, c, 3),
                    nn.AvgPool2d(3, 1, 1, count_include_pad=False),
                ]
            )
            for _ in range(6)
        )

    def forward(self, x, weights, drawn):
        nodes, edge = [x], 0
        for target in range(1, 4):
            arriving = []
            for source in range(target):
                ops, x = self.edges[edge], nodes[source]
                if drawn is None:
                    arriving.append(sum(w * op(x) for w, op in zip(weights[edge], ops, strict=True)))
                else:
                    arriving.append(weights[edge][drawn[edge]] * ops[drawn[edge]](x))
                edge += 1
            nodes.append(sum(arriving))
        return nodes[-1]


class PlainBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = conv(c, 2 * c, 3, 2), conv(2 * c, 2 * c, 3)
        self.down = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c, 2 * c, 1, bias=False))

    def forward(self, x):
        return self.down(x) + self.b(self.a(x))


class PlainSupernet(nn.Module):
    def __init__(self, tau=None):
        super().__init__()
        self.tau = tau
        self.stem = nn.Sequential(
            nn.Conv2d(3, CHANNELS[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(CHANNELS[0], affine=False, track_running_stats=False),
        )
        layers = []
        for c in CHANNELS:
            if layers:
                layers.append(PlainBlock(c // 2))
            layers += [PlainCell(c) for _ in range(CELLS)]
        self.layers = nn.ModuleList(layers)
        self.last = nn.BatchNorm2d(CHANNELS[-1], affine=False, track_running_stats=False)
        self.classifier = nn.Linear(CHANNELS[-1], 10)
        self.alphas = nn.Parameter(1e-3 * torch.randn(6, 5))

    def forward(self, x):
        drawn = None
        if self.tau is None:
            weights = self.alphas.softmax(-1)
        else:
            soft = F.gumbel_softmax(self.alphas, self.tau, hard=True)
            weights, drawn = soft, soft.argmax(-1).tolist()
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x, weights, drawn) if isinstance(layer, PlainCell) else layer(x)
        return self.classifier(F.relu(self.last(x)).mean((2, 3)))


class PlainSearch:
    """The two updates of a step by `backward()`, as the methods' own code has them."""

    def __init__(self, tau=None, device="cpu"):
        self.network = PlainSupernet(tau).to(device)
        weights = [p for p in self.network.parameters() if p is not self.network.alphas]
        self.of_weights = torch.optim.SGD(weights, 0.025, 0.9, weight_decay=3e-4)
        self.of_alphas = torch.optim.Adam([self.network.alphas], 3e-4, (0.5, 0.999), weight_decay=1e-3)

    def step(self, data_train, data_val):
        for optimizer, (images, labels) in ((self.of_alphas, data_val), (self.of_weights, data_train)):
            optimizer.zero_grad()
            F.cross_entropy(self.network(images), labels).backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 5.0)
            optimizer.step()


# The same by oneshot


def compiled_search(method, device, **options):
    from oneshot.optimizers.darts import DARTS
    from oneshot.optimizers.gdas import GDAS
    from oneshot.spaces.nb201 import NasBench201SearchSpace

    optimizer = {"darts": DARTS, "gdas": GDAS}[method](**options)
    optimizer.adapt_search_space(NasBench201SearchSpace(channels=CHANNELS[0], cells=CELLS), device=device)
    return optimizer


CASES = {
    "darts": {
        "plain modules": lambda device: PlainSearch(device=device),
        "oneshot": lambda device: compiled_search("darts", device),
        "oneshot, bf16": lambda device: compiled_search("darts", device, amp=True),
    },
    "gdas": {
        "plain modules": lambda device: PlainSearch(tau=10.0, device=device),
        "oneshot": lambda device: compiled_search("gdas", device),
        "oneshot, bf16": lambda device: compiled_search("gdas", device, amp=True),
    },
}


def batch(device, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(BATCH, 3, 32, 32, generator=generator)
    return images.to(device), torch.randint(10, (BATCH,), generator=generator).to(device)


def serve(method, case, device):
    """Answer each line on stdin with the seconds of a step and the peak of memory so far in MiB, as JSON."""
    torch.manual_seed(0)
    search = CASES[method][case](device)
    data = batch(device, 1), batch(device, 2)
    for _ in sys.stdin:
        start = time.perf_counter()
        search.step(*data)
        if device != "cpu":
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated() / 2**20
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([time.perf_counter() - start, peak]), flush=True)


def compare(method, device, runs, cases):
    """Steps of each case in turn, each case in a process of its own, one step at a time."""
    command = [sys.executable, "-m", "benchmarks.supernet", "--device", device, "--serve", method]
    processes = {
        case: subprocess.Popen([*command, case], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for case in cases
    }
    measured = {case: [] for case in cases}
    for run in range(runs + 2):
        for case, process in processes.items():
            process.stdin.write("step\n")
            process.stdin.flush()
            result = json.loads(process.stdout.readline())
            if run >= 2:  # the first two warm up
                measured[case].append(result)
    for process in processes.values():
        process.stdin.close()
        process.wait()
    base = measured["plain modules"]
    rows = []
    for case, results in measured.items():
        seconds, peaks = zip(*results, strict=True)
        faster = [plain / own for (plain, _), own in zip(base, seconds, strict=True)]
        memory = peaks[-1] / base[-1][1]
        times = (f"{value:.3f}" for value in (statistics.median(seconds), min(seconds), max(seconds)))
        rows.append([case, *times, f"{statistics.median(faster):.2f}", round(peaks[-1]), f"{memory:.2f}"])
    print(f"{method}, one step: alphas and weights, batch {BATCH}")
    print_table(["", "median [s]", "least", "most", "times faster", "peak [MiB]", "x memory"], rows)
    print()


def prepare(runs):
    """Print what comes before the first step."""
    from oneshot.optimizers.darts import DARTS
    from oneshot.spaces.nb201 import NasBench201SearchSpace

    optimizer = DARTS()
    space = NasBench201SearchSpace()
    optimizer.adapt_search_space(space)

    def compile_again():
        optimizer.graph.unparse().parse().plan  # noqa: B018 - it is made when it is asked for

    tasks = {
        "building the space": NasBench201SearchSpace,
        "its supernet: mixed, parsed, with optimizers": lambda: DARTS().adapt_search_space(space),
        "parsing and compiling alone": compile_again,
    }
    print("Before the first step")
    print_times(in_turn(tasks, runs), "ms")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.supernet", description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(*args.serve, args.device)
        return
    print_conditions(args.runs, torch=torch.__version__)
    prepare(args.runs)
    for method, cases in CASES.items():
        compare(method, args.device, args.runs, cases)


if __name__ == "__main__":
    main()
