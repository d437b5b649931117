# ruff: noqa: INP001 - a script of the ERP's own environment, never imported by Lineside
"""Make the demo plant's ERP: a Tryton 8.0 database with the facts that an ERP owns.

Runs inside the environment of requirements-tryton.lock, as a process of its own:
`python recipe.py cook CONFIG DATABASE PLANT.json` makes the database, and
`python recipe.py passwords CONFIG DATABASE` sets the passwords of its users.
Both read the passwords from standard input, as a JSON object by login.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

MODULES = [
    "account_stock_continental",
    "product_attribute",
    "production",
    "production_routing",
    "production_work",
    "purchase",
    "sale_supply_production",
    "stock_lot",
    "stock_lot_sled",
]
GROUPS = [
    "account.group_account",
    "account.group_account_admin",
    "company.group_company_admin",
    "company.group_employee_admin",
    "party.group_party_admin",
    "product.group_product_admin",
    "production.group_production",
    "production.group_production_admin",
    "purchase.group_purchase",
    "purchase.group_purchase_admin",
    "sale.group_sale",
    "sale.group_sale_admin",
    "stock.group_stock",
    "stock.group_stock_admin",
]
USERS = {"lineside": "Lineside", "erp": "ERP visitor", "clerk": "Sales clerk"}
LOT_PLACES = ["storage", "production", "customer", "supplier", "lost_found"]
SERIAL_PLACES = ["storage", "customer"]
"""A pump scrapped before it has a serial number goes from production to lost and found."""
UNIT_NAMES = {"pc": "Unit", "kg": "Kilogram"}


def activate(config_file: str, database: str) -> None:
    """Create the tables of all modules in one go."""
    from trytond import __series__, backend, config

    config.update_etc(config_file)
    from trytond.pool import Pool
    from trytond.transaction import Transaction, TransactionError

    base = backend.Database(database)
    base.connect()
    base.init()
    Pool.start()
    pool = Pool(database)
    pool.init(update=[*MODULES], lang=["en"], activatedeps=True)
    extras: dict[str, Any] = {}
    while True:
        with Transaction().start(database, 0, **extras) as transaction:
            try:
                configuration = pool.get("ir.configuration")(1)
                configuration.series = __series__
                configuration.language = "en"
                configuration.save()
            except TransactionError as error:
                transaction.rollback()
                error.fix(extras)
                continue
        return


class Recipe:
    """The steps, in the order in which the ERP's own rules allow them."""

    def __init__(self, config_file: str, database: str, plant: dict[str, Any]) -> None:
        from proteus import Model, Wizard, config

        self.config = config.set_trytond(database, user="admin", config_file=config_file)
        self.config.skip_warning = True
        self.get = Model.get
        self.wizard = Wizard
        self.plant = plant
        self.today = dt.datetime.now(dt.UTC).date()
        self.products: dict[str, Any] = {}

    def refresh_context(self) -> None:
        """Act for the new company from here on."""
        preferences = self.get("res.user").get_preferences(True, {})  # noqa: FBT003 - its own signature
        self.config._context = preferences  # noqa: SLF001 - proteus has no other way

    def one(self, model: str, *domain: tuple[str, str, object]) -> Any:
        """Return the only record of `model` that fits."""
        (found,) = self.get(model).find(list(domain), limit=1)
        return found

    def company(self) -> None:
        facts = self.plant["company"]
        currency = self.get("currency.currency")(
            name=facts["currency_name"],
            symbol="¥",
            code=facts["currency"],
            rounding=Decimal("0.01"),
            digits=2,
        )
        currency.rates.new(date=dt.date(self.today.year - 2, 1, 1), rate=Decimal(1))
        currency.save()
        party = self.get("party.party")(name=facts["name"])
        party.save()
        wizard = self.wizard("company.company.config")
        wizard.execute("company")
        wizard.form.party = party
        wizard.form.currency = currency
        wizard.form.timezone = facts["timezone"]
        wizard.execute("add")
        self.refresh_context()
        self.owner = self.one("company.company")
        self.currency = currency

    def chart(self) -> None:
        data = self.get("ir.model.data")
        template = data.get_id("account.account_template_root_en", self.config.context)
        wizard = self.wizard("account.create_chart")
        wizard.execute("account")
        wizard.form.account_template = self.get("account.account.template")(template)
        wizard.form.company = self.owner
        wizard.execute("create_account")
        account = self.get("account.account")
        self.expense = self._account_of_type("expense")
        self.revenue = self._account_of_type("revenue")
        wizard.form.account_receivable = self._account_of_type("receivable")
        wizard.form.account_payable = self._account_of_type("payable")
        wizard.form.category_account_expense = self.expense
        wizard.form.category_account_revenue = self.revenue
        wizard.execute("create_properties")
        self.accounts = {}
        for name, facts in self.plant["accounts"].items():
            if "like" in facts:
                like = self.one("account.account", ("code", "=", facts["like"]))
                made = account(name=facts["name"], code=facts["code"], type=like.type, parent=like.parent)
                made.company = self.owner
                made.save()
            self.accounts[name] = self.one("account.account", ("code", "=", facts["code"]))

    def _account_of_type(self, kind: str) -> Any:
        return self.one(
            "account.account",
            (f"type.{kind}", "=", True),
            ("company", "=", self.owner.id),
            ("closed", "!=", True),
        )

    def fiscal_years(self) -> None:
        for year in range(self.today.year - 1, self.today.year + 2):
            sequence = self._sequence("ir.sequence.strict", "Account Move", f"Entries {year}")
            invoices = self._sequence("ir.sequence.strict", "Invoice", f"Invoices {year}")
            record = self.get("account.fiscalyear")(name=str(year))
            record.company = self.owner
            record.start_date = dt.date(year, 1, 1)
            record.end_date = dt.date(year, 12, 31)
            record.move_sequence = sequence
            record.account_stock_method = "continental"
            (line,) = record.invoice_sequences
            line.out_invoice_sequence = line.in_invoice_sequence = invoices
            line.out_credit_note_sequence = line.in_credit_note_sequence = invoices
            record.click("create_period")

    def _sequence(self, model: str, kind: str, name: str) -> Any:
        sequence = self.get(model)(name=name, company=self.owner)
        sequence.sequence_type = self.one("ir.sequence.type", ("name", "=", kind))
        sequence.save()
        return sequence

    def categories(self) -> None:
        category = self.get("product.category")
        made = {}
        for name, stock, incoming, outgoing in (
            ("Components", "raw_material", "gr_ir", "wip"),
            ("Pumps", "finished_goods", "wip", "cogs"),
        ):
            record = category(name=name, accounting=True)
            record.account_expense = self.expense
            record.account_revenue = self.revenue
            record.account_stock = self.accounts[stock]
            record.account_stock_in = self.accounts[incoming]
            record.account_stock_out = self.accounts[outgoing]
            record.save()
            made[name] = record
        self.component_category, self.pump_category = made["Components"], made["Pumps"]

    def attributes(self) -> None:
        """Standard times: Tryton's routing has none, so they are attributes of the pump."""
        names = [
            ("family", "Set-up family", "char"),
            ("setup_s", "Set-up at operation 10 when the family changes (s)", "integer"),
            ("labour_class", "Labour class", "char"),
            ("labour_rate", "Labour rate per hour", "numeric"),
        ]
        names += [
            (f"run_s_{step['operation']}", f"Run time operation {step['operation']} (s)", "integer")
            for step in self.plant["routing"]["steps"]
        ]
        made = []
        for name, label, kind in names:
            record = self.get("product.attribute")(name=name, string=label, type_=kind)
            if kind == "numeric":
                record.digits = 2
            record.save()
            made.append(record)
        self.attribute_set = self.get("product.attribute.set")(name="Routing standards")
        self.attribute_set.attributes.extend(made)
        self.attribute_set.save()
        place = self.get("product.attribute")(
            name="operation", string="Operation that takes it", type_="integer"
        )
        place.save()
        self.component_attributes = self.get("product.attribute.set")(name="Component")
        self.component_attributes.attributes.append(place)
        self.component_attributes.save()

    def components(self) -> None:
        operations = {
            group: step["operation"] for step in self.plant["routing"]["steps"] for group in step["materials"]
        }
        for facts in self.plant["components"]:
            template = self._template(facts, Decimal(facts["price"]), self.component_category)
            template.purchasable = True
            if "shelf_life_days" in facts:
                template.shelf_life_state = "optional"
            (product,) = template.products
            product.cost_price = Decimal(facts["price"])
            template.attribute_set = self.component_attributes
            template.save()
            self._keep(template)
            product = self.products[facts["code"]]
            product.attributes = {"operation": operations[facts["group"]]}
            product.save()

    def _template(self, facts: dict[str, Any], list_price: Decimal, category: Any) -> Any:
        template = self.get("product.template")(name=facts["name"], code=facts["code"])
        template.default_uom = self.one("product.uom", ("name", "=", UNIT_NAMES[facts.get("uom", "pc")]))
        template.type = "goods"
        template.list_price = list_price
        template.cost_price_method = "fixed"
        template.account_category = category
        template.lot_required = LOT_PLACES
        return template

    def _keep(self, template: Any) -> None:
        (product,) = template.products
        self.products[template.code] = product

    def work_centers(self) -> None:
        center = self.get("production.work.center")
        self.plant_center = center(name=self.plant["company"]["name"])
        self.plant_center.save()
        self.operations = {}
        for facts in self.plant["work_centers"]:
            category = self.get("production.work.center.category")(name=facts["code"])
            category.save()
            center(
                name=f"{facts['code']} {facts['name']}",
                parent=self.plant_center,
                category=category,
                cost_price=Decimal(facts["rate"]),
                cost_method="hour",
            ).save()
            for step in self.plant["routing"]["steps"]:
                if step["work_center"] == facts["code"]:
                    operation = self.get("production.routing.operation")(
                        name=f"{step['operation']} {step['name']}", work_center_category=category
                    )
                    operation.save()
                    self.operations[step["operation"]] = operation

    def pumps(self) -> None:
        routing = self.get("production.routing")(name=self.plant["routing"]["name"])
        for step in self.plant["routing"]["steps"]:
            routing.steps.new(operation=self.operations[step["operation"]], sequence=step["operation"])
        routing.save()
        labour = self.plant["labour"]
        for facts in self.plant["pumps"]:
            template = self._template(facts, Decimal(facts["list_price"]), self.pump_category)
            template.producible = True
            template.salable = True
            template.supply_on_sale = "always"
            template.attribute_set = self.attribute_set
            template.lot_required = SERIAL_PLACES
            (product,) = template.products
            product.cost_price = self.standard_price(facts)
            template.save()
            self._keep(template)
            product = self.products[facts["code"]]
            product.attributes = {
                "family": facts["family"],
                "setup_s": facts["setup_s"],
                "labour_class": labour["class"],
                "labour_rate": Decimal(labour["rate"]),
                **{
                    f"run_s_{step['operation']}": seconds
                    for step, seconds in zip(self.plant["routing"]["steps"], facts["run_s"], strict=True)
                },
            }
            product.save()
            self._bom(facts, product, routing)

    def _bom(self, facts: dict[str, Any], product: Any, routing: Any) -> None:
        bom = self.get("production.bom")(name=facts["code"])
        for code in facts["parts"]:
            part = self.products[code]
            bom.inputs.new(product=part, quantity=float(self.plant["quantities"].get(code, "1")))
        bom.outputs.new(product=product, quantity=1.0)
        bom.save()
        routing.boms.append(bom)
        routing.save()
        product.boms.new(bom=bom, routing=routing)
        product.save()

    def standard_price(self, facts: dict[str, Any]) -> Decimal:
        """Material + labour + machine of one piece without set-up, to the cent, half up."""
        prices = {part["code"]: Decimal(part["price"]) for part in self.plant["components"]}
        rates = {center["code"]: Decimal(center["rate"]) for center in self.plant["work_centers"]}
        quantities = self.plant["quantities"]
        total = sum(
            (prices[code] * Decimal(quantities.get(code, "1")) for code in facts["parts"]),
            Decimal(0),
        )
        labour = Decimal(self.plant["labour"]["rate"])
        steps = self.plant["routing"]["steps"]
        for step, seconds in zip(steps, facts["run_s"], strict=True):
            total += Decimal(seconds) * (labour + rates[step["work_center"]]) / 3600
        return total.quantize(Decimal("0.01"), "ROUND_HALF_UP")

    def parties(self) -> None:
        party = self.get("party.party")
        for facts in [*self.plant["customers"], self.plant["supplier"], *self.plant["people"]]:
            record = party(name=facts["name"], code=facts["code"])
            record.save()
            if facts in self.plant["people"]:
                employee = self.get("company.employee")(party=record, company=self.owner)
                employee.start_date = dt.date(self.today.year - 1, 1, 1)
                employee.save()
        self.supplier = self.one("party.party", ("code", "=", self.plant["supplier"]["code"]))
        for facts in self.plant["components"]:
            self.get("purchase.product_supplier")(
                template=self.products[facts["code"]].template, party=self.supplier
            ).save()
        term = self.get("account.invoice.payment_term")(name="Net")
        term.lines.new(type="remainder")
        term.save()

    def opening_stock(self) -> None:
        """Opening lots, received from the supplier 15 days ago."""
        move = self.get("stock.move")
        supplier = self.one("stock.location", ("type", "=", "supplier"))
        storage = self.one("stock.location", ("code", "=", "STO"))
        moves = []
        for facts in self.plant["components"]:
            for number, quantity in enumerate(facts["opening"], start=1):
                record = move()
                record.product = self.products[facts["code"]]
                record.quantity = float(quantity)
                record.from_location = supplier
                record.to_location = storage
                record.unit_price = Decimal(facts["price"])
                record.currency = self.currency
                record.effective_date = self.today - dt.timedelta(days=15)
                record.lot = self._lot(facts, number)
                record.save()
                moves.append(record)
        move.click(moves, "do")

    def _lot(self, facts: dict[str, Any], number: int) -> Any:
        lot = self.get("stock.lot")(
            number=f"LOT-{facts['code']}-{number:04d}", product=self.products[facts["code"]]
        )
        if "shelf_life_days" in facts:
            lot.shelf_life_expiration_date = self.today + dt.timedelta(days=facts["shelf_life_days"] * number)
        lot.save()
        return lot

    def users(self) -> None:
        """The bridge's account, a visitor's, and the sales clerk's."""
        data = self.get("ir.model.data")
        groups = [data.get_id(name, self.config.context) for name in GROUPS]
        for login, name in USERS.items():
            user = self.get("res.user")(name=name, login=login)
            user.password = secrets.token_urlsafe(32)
            user.companies.append(self.get("company.company")(self.owner.id))
            user.company = self.owner
            for group in groups:
                user.groups.append(self.get("res.group")(group))
            user.save()

    def cook(self) -> None:
        """Do all steps."""
        for step in (
            self.company,
            self.chart,
            self.fiscal_years,
            self.categories,
            self.attributes,
            self.components,
            self.work_centers,
            self.pumps,
            self.parties,
            self.opening_stock,
            self.users,
        ):
            report(step.__name__)
            step()


def report(step: str) -> None:
    """Say on standard output what is being done: the start page shows it."""
    sys.stdout.write(f"erp: {step.replace('_', ' ')}\n")
    sys.stdout.flush()


def set_passwords(config_file: str, database: str, passwords: dict[str, str]) -> None:
    """Give users new passwords."""
    from proteus import Model, config

    config.set_trytond(database, user="admin", config_file=config_file)
    for user in Model.get("res.user").find([("login", "in", list(passwords))]):
        user.password = passwords[user.login]
        user.save()


def main(verb: str, config_file: str, database: str, *rest: str) -> None:
    """Carry out `verb`."""
    passwords = json.load(sys.stdin)
    if verb == "cook":
        report("modules")
        activate(config_file, database)
        plant = json.loads(Path(rest[0]).read_text(encoding="utf-8"))
        Recipe(config_file, database, plant).cook()
    report("passwords")
    set_passwords(config_file, database, passwords)


if __name__ == "__main__":
    main(*sys.argv[1:])
