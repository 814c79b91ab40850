"""`zsclip doctor`: what is here, what is missing, and how to repair it."""
import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    return 0
