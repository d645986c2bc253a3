// Kernels and statements.
#include "codegen/c_style/kernel_printer.h"

#include <algorithm>
#include <cctype>

#include "ir/text.h"
#include "ir/visit.h"

namespace mlc::codegen {

using namespace ir;  // NOLINT: a printer is written in the IR's words

namespace {

bool plain_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::set<const BufferNode*> written_buffers(const Stmt& s) {
  std::set<const BufferNode*> out;
  for_each_stmt(s, [&](const Stmt& x) {
    if (const Store* st = as<Store>(x)) out.insert(st->buffer.get());
  });
  return out;
}

bool reads_memory(const Expr& e) {
  bool found = false;
  for_each_expr(e, [&](const Expr& x) { found = found || as<Load>(x) || as<LoadBits>(x); });
  return found;
}

}  // namespace

void KernelPrinter::line(const std::string& text) {
  out_.append(size_t{2} * static_cast<size_t>(indent_), ' ');
  out_ += text + "\n";
}

std::string KernelPrinter::fail(const std::string& what) {
  if (!error_) error_ = Error{ErrorCode::kUnsupported, fmt::format("kernel {} in {}: {}", f_.name, d_.name, what)};
  return "0";
}

const std::string& KernelPrinter::name_of(const void* id, const std::string& wish) {
  auto it = names_.find(id);
  if (it != names_.end()) return it->second;
  std::string base;
  for (const char c : wish) base += plain_name(c) ? c : '_';
  if (base.empty() || std::isdigit(static_cast<unsigned char>(base[0]))) base = "v" + base;
  if (std::find(d_.reserved.begin(), d_.reserved.end(), base) != d_.reserved.end()) base += "_";
  std::string name = base;
  for (int n = 1; !taken_.insert(name).second; ++n) name = fmt::format("{}_{}", base, n);
  return names_[id] = name;
}

const CDialect::TypeName& KernelPrinter::type_row(DType t) const {
  for (const auto& row : d_.types) {
    if (row.dtype == t.scalar()) return row;
  }
  MLC_UNREACHABLE("{} has no row for {}", d_.name, t.str());
}

std::string KernelPrinter::type(DType t) const {
  const char* scalar = type_row(t).value;
  if (t.lanes == 1) return scalar;
  return fmt::format(fmt::runtime(d_.vector_type), fmt::arg("type", scalar), fmt::arg("lanes", t.lanes));
}

std::string KernelPrinter::params() {
  const auto written = written_buffers(f_.body);
  auto alias = f_.attrs.find("may_alias");
  const bool may_alias = alias != f_.attrs.end() && alias->second == AnnotationValue(int64_t{1});
  std::string text;
  for (const Buffer& b : f_.buffers) {
    text += text.empty() ? "" : ", ";
    text += fmt::format(fmt::runtime(d_.buffer_param), fmt::arg("type", type_row(b->dtype).memory),
                        fmt::arg("name", name_of(b.get(), b->name)),
                        fmt::arg("const", written.count(b.get()) ? "" : d_.const_word),
                        fmt::arg("restrict", may_alias ? "" : d_.restrict_word));
  }
  for (const Var& v : f_.sizes) {
    text += text.empty() ? "" : ", ";
    text += fmt::format(fmt::runtime(d_.size_param), fmt::arg("type", type(v.dtype())),
                        fmt::arg("name", name_of(v.get(), v.name())));
  }
  return text;
}

void KernelPrinter::axes(const Grid& grid) {
  const auto declare = [&](const std::optional<Grid::Axis>& axis, const char* index) {
    if (!axis) return;
    const DType t = axis->var.dtype();
    std::string value = fmt::format("({}){}", type(t), index);
    if (!is_const(axis->min, 0)) value = fmt::format("{} + {}", expr(axis->min), value);
    line(fmt::format("const {} {} = {};", type(t), name_of(axis->var.get(), axis->var.name()), value));
  };
  for (size_t i = 3; i-- > 0;) declare(grid.blocks[i], d_.block_index[i]);
  for (const Buffer& b : grid.shared) declare_array(d_.shared_array, b);
  for (size_t i = 3; i-- > 0;) declare(grid.threads[i], d_.thread_index[i]);
}

void KernelPrinter::declare_array(const char* form, const Buffer& b) {
  int64_t count = 1;
  for (const Expr& e : b->shape) {
    const int64_t* n = as_const_int(e);
    if (!n) {
      fail(fmt::format("the intermediate {} has the size {}, which is known only when the kernel runs", b->name,
                       ir::print(e)));
      return;
    }
    count *= *n;
  }
  line(fmt::format(fmt::runtime(form), fmt::arg("type", type_row(b->dtype).memory),
                   fmt::arg("name", name_of(b.get(), b->name)), fmt::arg("count", count)));
}

void KernelPrinter::loop(const For& x) {
  if (x.kind == ForKind::kThread) {
    fail(
        fmt::format("the loop {} on {} stands inside of other statements; bind the outermost loops of a nest to "
                    "block axes",
                    x.var.name(), x.thread));
    return;
  }
  const std::string name = name_of(x.var.get(), x.var.name());
  const std::string t = type(x.var.dtype());
  const int64_t *lo = as_const_int(x.min), *extent = as_const_int(x.extent);
  std::string end = lo && extent     ? int_literal(x.var.dtype(), *lo + *extent)
                    : lo && *lo == 0 ? expr(x.extent)
                                     : fmt::format("{} + {}", expr(x.min), expr(x.extent));
  if (reads_memory(x.extent) || reads_memory(x.min)) {
    const std::string limit = name_of(&x, x.var.name() + "_end");
    line(fmt::format("const {} {} = {};", t, limit, end));
    end = limit;
  }
  line(fmt::format("for ({} {} = {}; {} < {}; ++{}) {{", t, name, expr(x.min), name, end, name));
  ++indent_;
  stmt(x.body);
  --indent_;
  line("}");
}

void KernelPrinter::store(const Store& x) {
  const DType t = x.value.dtype();
  const std::string buffer = name_of(x.buffer.get(), x.buffer->name);
  const std::string index = element_index(x.buffer, x.indices);
  if (t.lanes > 1) {
    if (x.predicate) fail("a guarded vector store was not taken apart by lower/");
    line(fmt::format(fmt::runtime(d_.vector_store), fmt::arg("lanes", t.lanes),
                     fmt::arg("pointer", fmt::format("{} + {}", buffer, index)), fmt::arg("value", expr(x.value))));
    return;
  }
  std::string value = expr(x.value);
  if (t.is_bool()) value = fmt::format("({})({})", type_row(t).memory, value);
  const std::string assign = fmt::format("{}[{}] = {};", buffer, index, value);
  line(x.predicate ? fmt::format("if ({}) {}", condition(x.predicate), assign) : assign);
}

void KernelPrinter::stmt(const Stmt& s) {
  if (!s || error_) return;
  ir::match(
      s, [&](const For& x) { loop(x); }, [&](const Store& x) { store(x); },
      [&](const If& x) {
        line(fmt::format("if ({}) {{", condition(x.cond)));
        ++indent_;
        stmt(x.then_case);
        --indent_;
        if (x.else_case) {
          line("} else {");
          ++indent_;
          stmt(x.else_case);
          --indent_;
        }
        line("}");
      },
      [&](const Seq& x) {
        for (const Stmt& c : x.stmts) stmt(c);
      },
      [&](const Allocate& x) {
        if (x.buffer->scope != Scope::kLocal) {
          fail(
              fmt::format("the intermediate {} is neither local nor around the threads of one work-group; give it "
                          "shared or local scope and compute it inside of the block axes",
                          x.buffer->name));
          return;
        }
        declare_array(d_.local_array, x.buffer);
        stmt(x.body);
      },
      [&](const Let& x) {
        const std::string value = expr(x.value);
        line(fmt::format("const {} {} = {};", type(x.var.dtype()), name_of(x.var.get(), x.var.name()), value));
        stmt(x.body);
      },
      [&](const Block& x) { fail(fmt::format("block {} was not lowered", x.name)); }, [&](const Evaluate&) {},  // pure
      [&](const Assume&) {}, [&](const Prefetch&) {},
      [&](const Barrier& x) { line(x.scope == Scope::kGlobal ? d_.barrier_global : d_.barrier_shared); });
}

Result<std::string> KernelPrinter::print(const std::string& kernel, const Grid& grid,
                                         const std::array<int64_t, 3>& threads) {
  const std::string parameters = params();
  line(fmt::format(fmt::runtime(d_.kernel), fmt::arg("name", kernel), fmt::arg("params", parameters),
                   fmt::arg("x", threads[0]), fmt::arg("y", threads[1]), fmt::arg("z", threads[2])));
  indent_ = 1;
  axes(grid);
  stmt(grid.body);
  indent_ = 0;
  line("}");
  if (error_) return *error_;
  return std::move(out_);
}

}  // namespace mlc::codegen
