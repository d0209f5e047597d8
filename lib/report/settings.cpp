#include "report/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace localbatch {

namespace {

std::string flow_text(const Node& node) {
  if (node.kind == Node::Kind::kScalar) return node.scalar;
  std::vector<std::string> parts;
  for (const Node& item : node.items) parts.push_back(flow_text(item));
  for (const Node::Entry& entry : node.entries)
    parts.push_back(entry.key + ": " + flow_text(entry.value));
  const bool is_list = node.kind == Node::Kind::kList;
  return fmt::format("{}{}{}", is_list ? "[" : "{", fmt::join(parts, ", "), is_list ? "]" : "}");
}

void add(const Node& node, const std::string& place,
         std::vector<std::pair<std::string, std::string>>& found) {
  if (node.kind != Node::Kind::kMap) {
    found.emplace_back(place, flow_text(node));
    return;
  }
  for (const Node::Entry& entry : node.entries)
    add(entry.value, place.empty() ? entry.key : place + "." + entry.key, found);
}

}  // namespace

const std::string* Settings::find(const std::string& key) const {
  for (const auto& [name, value] : entries_)
    if (name == key) return &value;
  return nullptr;
}

std::string Settings::value(const std::string& key) const {
  const std::string* const found = find(key);
  return found == nullptr ? std::string() : *found;
}

bool Settings::has_part(const std::string& key) const {
  return std::ranges::any_of(entries_, [&key](const auto& entry) {
    return entry.first == key || entry.first.starts_with(key + ".");
  });
}

Settings settings_of(const Node& experiment) {
  std::vector<std::pair<std::string, std::string>> found;
  add(experiment, "", found);
  return Settings(std::move(found));
}

bool is_place(const std::string& key) {
  return key == "experiment" || key == "dataset.root" || key == "kernels";
}

bool agree(const Settings& a, const Settings& b) {
  const std::map<std::string, std::string> others(b.entries().begin(), b.entries().end());
  return std::ranges::all_of(a.entries(), [&others](const auto& entry) {
    const auto other = others.find(entry.first);
    return is_place(entry.first) || other == others.end() || other->second == entry.second;
  });
}

std::vector<std::string> differing_keys(const std::vector<Settings>& all) {
  std::map<std::string, std::string> first;
  std::vector<std::string> order, differing;
  std::map<std::string, bool> differs;
  for (const Settings& settings : all)
    for (const auto& [key, value] : settings.entries()) {
      if (is_place(key)) continue;
      const auto [known, is_new] = first.emplace(key, value);
      if (is_new) order.push_back(key);
      if (known->second != value) differs[key] = true;
    }
  for (const std::string& key : order)
    if (differs.contains(key)) differing.push_back(key);
  return differing;
}

}  // namespace localbatch
