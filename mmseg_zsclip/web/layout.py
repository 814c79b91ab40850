"""The page itself: components of Gradio, and what happens when they are used."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from .answers import Panel, answers, files_of
from .inputs import MOST_CLASSES, Chosen, examples, uploaded
from .offers import Offers
from .pictures import chosen_view, examples_view, message, panels_view, scores_view

HERE = Path(__file__).parent
NOTHING = 'nothing'
USERS = (ValueError, TypeError, OSError, ImportError)  # errors that a visitor can read and mend


class Page:
    """Gradio's app, as `blocks`. What a visitor chose and was answered is in the session's own
    state; methods that answer an event return a value for each component that changes."""

    def __init__(self, offers: Offers) -> None:
        self.offers, self.examples = offers, examples()
        with gr.Blocks(
            title='zsclip demo', analytics_enabled=False, delete_cache=(600, 86400)
        ) as self.blocks:
            self.photo, self.panels = gr.State(), gr.State([])
            gr.HTML('<h1>Segment a photo into your own words</h1>')
            with gr.Row():
                with gr.Column(scale=1, min_width=300):
                    self.place_questions()
                with gr.Column(scale=3, min_width=300):
                    self.said = gr.HTML(elem_id='said')
                    self.view = gr.HTML(js_on_load=script('hover.js'), elem_id='view')
                    self.scores = gr.HTML(elem_id='scores')
            self.connect()
        for block in self.blocks.blocks.values():
            move = block.async_move_resource_to_block_cache
            block.async_move_resource_to_block_cache = partial(uploads_only, move)

    def place_questions(self) -> None:
        self.file = gr.File(label='Photo', height=130, elem_id='file')
        self.pick = gr.HTML(
            examples_view(self.examples), js_on_load=script('pick.js'), elem_id='examples'
        )
        self.words = gr.Textbox(
            label='Classes',
            info=f'a line or ";" between them, synonyms by comma; {MOST_CLASSES} at most',
            placeholder='sky; grass, meadow; dog',
            lines=3,
            elem_id='classes',
        )
        self.rest = gr.Checkbox(label='a class for everything else', elem_id='background')
        models = self.offers.choices
        self.model = gr.Dropdown(models, value=models[0][1], label='Model', elem_id='model')
        self.other = gr.Dropdown(
            [NOTHING, *models], value=NOTHING, label='Compare with', elem_id='other'
        )
        self.button = gr.Button('Segment', variant='primary', elem_id='segment')

    def connect(self) -> None:
        answer = [self.photo, self.panels, self.said, self.view, self.scores]
        quiet = dict(show_progress='hidden', api_visibility='private')
        self.file.upload(self.choose, self.file, answer, **quiet)
        self.file.clear(self.clear, None, answer, **quiet)
        self.pick.pick(self.choose_example, None, [*answer, self.words, self.file], **quiet)
        asked = [self.photo, self.words, self.rest, self.model, self.other]
        for event in (self.button.click, self.words.submit):
            event(
                self.segment,
                asked,
                answer[1:],
                show_progress_on=self.button,
                api_visibility='private',
            )
        # not 'always_last', which sends the first event's data again; the queue keeps their order
        self.view.hover(self.point, self.panels, self.scores, trigger_mode='multiple', **quiet)

    def shown(self, photo: Chosen | None) -> dict:
        """A new photo takes the place of the last answer."""
        view = '' if photo is None else chosen_view(photo)
        return {self.photo: photo, self.panels: [], self.said: '', self.view: view, self.scores: ''}

    def choose(self, path: str) -> dict:
        try:
            return self.shown(uploaded(path))
        except ValueError as error:
            return {self.said: message(str(error), wrong=True)}

    def clear(self) -> dict:
        return self.shown(None)

    def choose_example(self, event: gr.EventData) -> dict:
        one = self.examples[int(event.index)]
        return self.shown(one) | {self.words: one.words, self.file: None}

    def segment(self, photo: Chosen | None, text: str, rest: bool, model: str, other: str) -> dict:
        names = [model] if other == NOTHING else [model, other]
        try:
            found = answers(self.offers, names, photo, text, rest)
        except USERS as error:
            return {self.said: message(str(error), wrong=True)}
        view = panels_view(found, photo, [files_of(one, photo) for one in found])
        for one in found:
            one.shrink()
        said = message('Point at a pixel for the scores of the classes.')
        return {self.panels: found, self.said: said, self.view: view, self.scores: ''}

    def point(self, panels: list[Panel], event: gr.EventData) -> str:
        return scores_view(panels, int(event.x), int(event.y)) if panels else ''


async def uploads_only(move: Callable, path: str | None) -> str | None:
    """Gradio's `move` of a file that a visitor's message names, for what was uploaded alone: in an
    app that is mounted Gradio takes any file of the machine, and fetches addresses.

    Raises:
        gr.Error: another path, or an address.
    """
    folder = os.path.realpath(get_upload_folder())
    if path is not None and not Path(os.path.realpath(path)).is_relative_to(folder):
        raise gr.Error('this file was not uploaded. Choose it again.')
    return await move(path)


def script(name: str) -> str:
    return (HERE / name).read_text(encoding='utf-8')
