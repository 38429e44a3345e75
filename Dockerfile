# Second Look: the application, and (target `notebook`) JupyterLab over the same installation.
#   docker build -t second-look .
# How it is run, with its limits: README.md and compose.yaml.
# A site pins its base by the digest that it has examined:
#   docker build --build-arg BASE=python@sha256:... -t second-look .
# PyTorch's own wheels bring the CUDA libraries, so one image runs on a GPU and without one.

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install -r /tmp/requirements.txt

FROM ${BASE} AS app
# pg_dump and pg_restore, by which `backup` and `restore` keep a PostgreSQL database. The version is
# the base's: Debian withdraws the exact one with every correction.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin second-look \
    && install -d -o second-look -g second-look -m 0700 /data
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SECOND_LOOK_HOME=/data \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /app
COPY LICENSE pyproject.toml app.py ./
COPY .streamlit .streamlit
COPY db db
COPY imaging imaging
COPY models models
COPY pages pages
COPY review review
COPY ui ui
COPY xai_core xai_core
USER 10001
VOLUME /data
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "review"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8501"]

FROM app AS notebook
USER 0
RUN pip install --no-cache-dir jupyterlab==4.6.6
USER 10001
ENV PYTHONPATH=/app
WORKDIR /data
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8888/api', timeout=4)"]
ENTRYPOINT ["jupyter", "lab"]
CMD ["--ip=0.0.0.0", "--port=8888", "--no-browser"]

FROM app AS second-look
