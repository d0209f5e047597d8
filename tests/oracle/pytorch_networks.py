"""The residual networks of localbatch in PyTorch, with the stem for small images and ten classes."""

import torch
from torch import nn


class Block(nn.Module):
    """Modules stand in the order in which localbatch lists tensors: the shortcut before the norm
    that adds it."""

    def __init__(self, channels, width, stride, bottleneck, relu):
        super().__init__()
        out = 4 * width if bottleneck else width
        self.bottleneck = bottleneck
        self.relu = relu
        if bottleneck:
            self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.downsample = nn.Sequential()
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )
        if bottleneck:
            self.bn3 = nn.BatchNorm2d(out)
        else:
            self.bn2 = nn.BatchNorm2d(out)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        if self.bottleneck:
            y = self.relu(self.bn2(self.conv2(y)))
            y = self.bn3(self.conv3(y))
        else:
            y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self, blocks, width, bottleneck, relu, num_classes=10):
        super().__init__()
        self.relu = relu
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        self.stages = len(blocks)
        for stage, count in enumerate(blocks):
            layer = nn.Sequential()
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                layer.append(Block(channels, width, stride, bottleneck, relu))
                channels = 4 * width if bottleneck else width
            setattr(self, f"layer{stage + 1}", layer)
            width *= 2
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def make_network(name, relu=torch.relu_):
    """`relu` may work in place: what it is given is nobody else's."""
    return {
        "resnet20": lambda: ResNet([3, 3, 3], 16, False, relu),
        "resnet18": lambda: ResNet([2, 2, 2, 2], 64, False, relu),
        "resnet50": lambda: ResNet([3, 4, 6, 3], 64, True, relu),
    }[name]()
