"""Grafana panels and boards as Python values, and the PromQL that many of them share.

  panel("Requests", "reqps", "Requests per second.", {"{{code}}": total("mlc_http_requests_total", INSTANCE, "code")})

Form of the files: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24  # of Grafana's grid
LEGEND = {"displayMode": "list", "placement": "bottom"}

MODEL = 'model_name=~"$model_name", instance=~"$instance"'
INSTANCE = 'instance=~"$instance"'
ANSWERS = f'handler=~"/v1/.+", {INSTANCE}'
GPU = 'instance=~"$instance", gpu=~"$gpu"'
RATE = "[$__rate_interval]"


def rate(metric, labels=MODEL):
    return f"rate({metric}{{{labels}}}{RATE})"


def total(metric, labels=MODEL, by=""):
    return f"sum{f' by ({by})' if by else ''} ({rate(metric, labels)})"


def quantile(q, metric, labels=MODEL, by="model_name"):
    return f"histogram_quantile({q}, sum by ({by}, le) ({rate(metric + '_bucket', labels)}))"


def quotient(above, below):
    """Two counters, the first per the second, by model."""
    return f"{total(above, MODEL, 'model_name')} / {total(below, MODEL, 'model_name')}"


def mean(metric, labels=MODEL, by="model_name"):
    return f"{total(metric + '_sum', labels, by)} / {total(metric + '_count', labels, by)}"


def quantiles(metric, labels=MODEL):
    return {f"p{round(q * 100)} {{{{model_name}}}}": quantile(q, metric, labels) for q in (0.5, 0.95, 0.99)}


def panel(title, unit, description, queries, *, kind="timeseries", width=8, height=8, **more):
    """One panel; `queries` maps legends to PromQL. `more`: min, max, thresholds [(from, colour)…], mappings, stack."""
    defaults = {"unit": unit, "min": more.get("min", 0)}
    if "max" in more:
        defaults["max"] = more["max"]
    if "mappings" in more:
        defaults["mappings"] = [{"type": "value", "options": more["mappings"]}]
    steps = more.get("thresholds", [])
    if kind in ("stat", "state-timeline"):
        base = {"color": "green" if steps else "blue", "value": None}
        defaults["thresholds"] = {"mode": "absolute", "steps": [base] + [{"color": c, "value": v} for v, c in steps]}
        defaults["color"] = {"mode": "thresholds"}
    if kind == "timeseries":
        custom = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
        if more.get("stack"):
            custom.update({"stacking": {"mode": "normal"}, "fillOpacity": 30})
        defaults["custom"] = custom
    options = {
        "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
        "timeseries": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
        "state-timeline": {"showValue": "auto", "mergeValues": True, "legend": LEGEND},
        "heatmap": {
            "calculate": False,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
            "yAxis": {"unit": unit},
            "tooltip": {"mode": "single"},
        },
    }[kind]
    targets = [
        {
            "refId": chr(ord("A") + i),
            "datasource": SOURCE,
            "expr": expr,
            "legendFormat": legend,
            "range": True,
            **({"format": "heatmap"} if kind == "heatmap" else {}),
        }
        for i, (legend, expr) in enumerate(queries.items())
    ]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
        "gridPos": {"w": width, "h": height},
    }


def stat(title, unit, description, expr, **more):
    return panel(title, unit, description, {"": expr}, kind="stat", width=4, height=4, **more)


def heatmap(title, unit, description, metric):
    query = f"sum by (le) (increase({metric}_bucket{{{MODEL}}}{RATE}))"
    return panel(title, unit, description, {"{{le}}": query}, kind="heatmap", width=12)


def variable(name, query, label):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
    }


def placed(rows):
    """The panels in Grafana's grid, each row under its title."""
    out, y = [], 0
    for title, panels in rows:
        position = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        out.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": position})
        y, x, tallest = y + 1, 0, 0
        for p in panels:
            size = p["gridPos"]
            if x + size["w"] > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            p["gridPos"] = {"x": x, "y": y, **size}
            x, tallest = x + size["w"], max(tallest, size["h"])
            out.append(p)
        y += tallest
    return [{"id": i, **p} for i, p in enumerate(out, 1)]


def board(uid, title, description, rows, variables):
    links = {"type": "dashboards", "title": "MLC LLM", "tags": ["mlc-llm"], "asDropdown": True}
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["mlc-llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [{**links, "keepTime": True, "includeVars": True}],
        "annotations": {"list": []},
        "templating": {"list": [source, *variables]},
        "panels": placed(rows),
    }
