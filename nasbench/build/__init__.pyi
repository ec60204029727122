from nasbench.build.builder import build as build
